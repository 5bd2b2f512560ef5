import type { ClaimRule } from './claimRules.js';
import { openedTokens, storedPerson } from './person.js';
import type { Provider } from './provider/provider.js';
import { whyRefused } from './provider/whyRefused.js';
import type { Sealing } from './sealing.js';
import type { Session, Sessions } from './sessions.js';

export type RenewalTools = {
  readonly provider: Provider;
  readonly sessions: Sessions;
  readonly sealing: Sealing;
  readonly rules: readonly ClaimRule[];
  readonly log: { warn(fields: object, message: string): void };
};

/**
 * Renews the provider's tokens of a session before they expire, and reads the claims of the person again. Ends the session
 * if the provider refuses. While the provider does not answer, the session stays and is tried again half a minute later.
 * Returns the session with its current grants. Undefined: it has ended.
 */
export async function renewIfDue(tools: RenewalTools, session: Session): Promise<Session | undefined> {
  const { provider, sessions, sealing, rules, log } = tools;
  if (!session.isToRenew || session.issuer === null) return session;
  const sealed = await sessions.takeForRenewal(session.id);
  if (sealed === undefined) return session;
  const tokens = await openedTokens(sealing, sealed);
  const isSameProvider = session.issuer === provider.settings.issuer;
  if (!isSameProvider || tokens === undefined || tokens.refreshToken === null) {
    await sessions.end(session.id);
    return undefined;
  }
  try {
    const person = await storedPerson(await provider.renew(tokens.refreshToken, session.subject), rules, sealing);
    await sessions.renewed(session.id, person);
    return { ...session, grants: person.grants };
  } catch (error) {
    const { sentence, isFinal } = whyRefused(error);
    if (!isFinal) {
      log.warn({ reason: sentence }, 'The session of a person could not be renewed. It is tried again.');
      return session;
    }
    await sessions.end(session.id);
    return undefined;
  }
}
