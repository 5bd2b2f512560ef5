import { StowageError } from '../errors.js';
import type { Authenticate } from '../server/authenticate.js';
import { grantsOfClaims, type ClaimRule } from './claimRules.js';
import { nameIn, personViewer, type PeopleRights } from './person.js';
import type { PlatformRights } from './platform/platformRights.js';
import type { Provider } from './provider/provider.js';
import type { SignedTokens } from './provider/signedTokens.js';

/** Accepts access tokens (JWTs) of the provider as bearer tokens. */
export function jwtSignIn(tools: {
  readonly provider: Provider;
  readonly signedTokens: SignedTokens;
  readonly rights: PeopleRights;
  readonly rules: readonly ClaimRule[];
  /** Absent: no platform gives rights. */
  readonly platform?: Pick<PlatformRights, 'grantsOfToken'> | undefined;
}): Authenticate {
  const { provider, signedTokens, rights, rules, platform } = tools;
  return async ({ kind, value, serviceInstances = [] }) => {
    if (kind !== 'BEARER' || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(value)) return undefined;
    const claims = await signedTokens.accessToken(value).catch((error: unknown) => {
      const message = `The keys of the provider ${provider.name} cannot be read now, so its tokens cannot be checked.`;
      throw new StowageError('UNAVAILABLE', message, { cause: error });
    });
    if (claims === undefined) return undefined;
    // A UAA also gives tokens to clients. Their subject is the id of the client, which could be chosen like that of a person.
    if (platform !== undefined && claims['user_id'] !== claims.sub) return undefined;
    const ofPlatform = platform === undefined ? [] : await platform.grantsOfToken(value, serviceInstances);
    if (ofPlatform === undefined) return undefined;
    const person = { issuer: provider.settings.issuer, sub: claims.sub, name: nameIn(claims) };
    const viewer = await personViewer(rights, person, grantsOfClaims(rules, claims), ofPlatform);
    return { viewer, expiresAt: new Date(claims.exp * 1000) };
  };
}
