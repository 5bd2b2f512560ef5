import { StowageError } from '../errors.js';
import type { Authenticate } from '../server/authenticate.js';
import { grantsOfClaims, type ClaimRule } from './claimRules.js';
import { nameIn, personViewer, type PeopleRights } from './person.js';
import type { Provider } from './provider/provider.js';
import type { SignedTokens } from './provider/signedTokens.js';

/** Accepts access tokens (JWTs) of the provider as bearer tokens. */
export function jwtSignIn(tools: {
  readonly provider: Provider;
  readonly signedTokens: SignedTokens;
  readonly rights: PeopleRights;
  readonly rules: readonly ClaimRule[];
}): Authenticate {
  const { provider, signedTokens, rights, rules } = tools;
  return async ({ kind, value }) => {
    if (kind !== 'BEARER' || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(value)) return undefined;
    const claims = await signedTokens.accessToken(value).catch((error: unknown) => {
      const message = `The keys of the provider ${provider.name} cannot be read now, so its tokens cannot be checked.`;
      throw new StowageError('UNAVAILABLE', message, { cause: error });
    });
    if (claims === undefined) return undefined;
    const person = { issuer: provider.settings.issuer, sub: claims.sub, name: nameIn(claims) };
    const viewer = await personViewer(rights, person, grantsOfClaims(rules, claims));
    return { viewer, expiresAt: new Date(claims.exp * 1000) };
  };
}
