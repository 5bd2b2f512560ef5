import { Router } from 'express';
import type { ApiConfig } from '../config.js';
import type { Log } from '../log.js';
import { derivedKey, masterKeys } from '../postgres/masterKeys.js';
import { grantsOf } from '../projects/access/grantsOf.js';
import { projectIdsNamed } from '../projects/projectQueries.js';
import { dashboardAccesses } from '../services/dashboard/dashboardAccesses.js';
import { dashboardPages } from '../services/dashboard/dashboardPages.js';
import type { Secret } from '../secret.js';
import { firstOf } from '../server/authenticate.js';
import type { BrowserSignIn } from '../server/browserSignIn.js';
import type { SignInChanges } from '../server/signInChanges.js';
import type { AuditTrail } from '../signIn/audit/auditTrail.js';
import { BrowserSessions } from '../signIn/browserSessions.js';
import { FlowCookies } from '../signIn/flowCookies.js';
import { jwtSignIn } from '../signIn/jwtSignIn.js';
import { createOneTimeLinks } from '../signIn/oneTimeLinks.js';
import { actorOfSession, viewerOfSession, type PeopleRights } from '../signIn/person.js';
import { recheckEveryMs as platformRecheckEveryMs } from '../signIn/platform/platformRights.js';
import { pinnedFetch } from '../signIn/provider/pinnedFetch.js';
import { Provider } from '../signIn/provider/provider.js';
import { SignedTokens } from '../signIn/provider/signedTokens.js';
import { whyRefused } from '../signIn/provider/whyRefused.js';
import { renewIfDue } from '../signIn/renewal.js';
import { createSealing } from '../signIn/sealing.js';
import { createSessions, type SessionLimits, type Sessions } from '../signIn/sessions.js';
import { signInPages } from '../signIn/signInPages.js';
import type { Closing } from './closing.js';
import { openPlatform } from './openPlatform.js';
import type { Shared } from './shared.js';

const sweepEveryMs = 10 * 60_000;
const recheckEveryMs = 60_000;

export type SignInOptions = Pick<ApiConfig, 'publicUrl'> & {
  readonly limits: SessionLimits;
  /** Absent or null: people sign in only with one-time links. */
  readonly provider?: ApiConfig['provider'] | undefined;
  /** In base64, newest first. They are needed with a provider. */
  readonly masterKeys?: readonly Secret[] | undefined;
  readonly audit: AuditTrail;
  /** Gets the subject of each session that ends in any process. */
  readonly signInChanges: SignInChanges;
};

type Opened = Pick<Shared, 'allowedTargets' | 'dataSource' | 'notifications' | 'now' | 'signals' | 'store'>;

/** The sign-in of people. Ended sessions are deleted until `closing` closes. */
export function openSignIn(shared: Opened, options: SignInOptions, log: Log, closing: Closing): BrowserSignIn {
  const { dataSource } = shared;
  const { audit, signInChanges, limits } = options;
  const sessions = createSessions(dataSource, limits, (owner) =>
    shared.signals.send('sessions', actorOfSession(owner)),
  );
  const endFollowing = shared.signals.subscribe('sessions', (subject) => signInChanges.report(subject));
  // A session may have ended while the connection for signals was lost.
  const endChecks = shared.notifications.onConnected(() => signInChanges.reportAll());
  closing.add('signals of ended sessions', () => {
    endFollowing();
    endChecks();
    return Promise.resolve();
  });
  // Renews the tokens of people with open WebSockets, and notices what a lost signal did not report.
  const hasPlatform = Boolean(options.provider?.cloudFoundry);
  const recheck = setInterval(() => signInChanges.reportAll(), hasPlatform ? platformRecheckEveryMs : recheckEveryMs);
  closing.add('checks of the rights of people', () => {
    clearInterval(recheck);
    return Promise.resolve();
  });
  sweepSessions(sessions, audit, log, closing);
  const rights: PeopleRights = {
    memberGrants: (person) => grantsOf(dataSource.manager, person),
    projectIds: (names) => projectIdsNamed(dataSource.manager, names),
  };
  const person = openProvider(shared, options, log, closing);
  const platform =
    person?.cloudFoundry && openPlatform(shared, person.cloudFoundry, { ...person, sessions, log }, closing);
  const browsers = new BrowserSessions(
    sessions,
    async (session) => {
      const current = person === undefined ? session : await renewIfDue({ ...person, sessions, log }, session);
      if (current === undefined) return undefined;
      // A session of a provider that is no longer configured opens nothing.
      if (current.issuer !== null && current.issuer !== person?.provider.settings.issuer) return undefined;
      const ofPlatform = platform ? await platform.grantsOf(current) : [];
      return ofPlatform && viewerOfSession(rights, current, ofPlatform);
    },
    options.publicUrl,
    log,
  );
  const links = createOneTimeLinks(dataSource);
  return {
    credential: (request) => browsers.credential(request),
    authenticate: firstOf(
      (credential) => browsers.authenticate(credential),
      ...(person === undefined ? [] : [jwtSignIn({ ...person, rights, platform: platform ?? undefined })]),
    ),
    pages: (tools) =>
      Router().use(
        signInPages({ audit, browsers, sessions, links, person }, tools),
        dashboardPages({
          manager: dataSource.manager,
          browsers,
          sessions,
          accesses: dashboardAccesses(shared),
          signInPath: person === undefined ? '/sign-in' : '/sign-in/start',
          ...(platform ? { platform } : {}),
        }),
      ),
  };
}

/** Deletes ended sessions and old events of the audit until `closing` closes. Then it writes what the audit still holds. */
function sweepSessions(sessions: Pick<Sessions, 'sweep'>, audit: AuditTrail, log: Log, closing: Closing): void {
  let sweep: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    sweep = Promise.all([sessions.sweep(), audit.sweep()]).catch((error: unknown) =>
      log.warn({ err: error }, 'Ended sessions and old events of the audit could not be deleted.'),
    );
  }, sweepEveryMs);
  closing.add('sweep of sessions', async () => {
    clearInterval(timer);
    await sweep;
    await audit.flush();
  });
}

function openProvider({ allowedTargets, now }: Opened, options: SignInOptions, log: Log, closing: Closing) {
  const { provider: settings } = options;
  if (settings === undefined || settings === null) return undefined;
  const connections = pinnedFetch(
    (host, address) => settings.allowedTargets.allowsHost(host, address) || allowedTargets.allowsHost(host, address),
  );
  closing.add('connections to the provider of identities', () => connections.close());
  const { fetch } = connections;
  const [newest, ...older] = masterKeys(options.masterKeys ?? []).map((key) => ({
    id: key.id,
    key: derivedKey(key, 'sign-in'),
  }));
  if (newest === undefined) throw new Error('There is no master key.');
  const sealing = createSealing([newest, ...older]);
  const provider = new Provider(settings, fetch);
  provider.configuration().catch((error: unknown) => {
    const reason = whyRefused(error).sentence;
    log.warn(
      { err: error, reason },
      'The provider of identities cannot be used now. People cannot sign in until it answers.',
    );
  });
  return {
    provider,
    signedTokens: new SignedTokens(provider, fetch, settings.audience),
    flows: new FlowCookies(sealing, now),
    sealing,
    rules: settings.claimRules,
    cloudFoundry: settings.cloudFoundry,
    log,
  };
}
