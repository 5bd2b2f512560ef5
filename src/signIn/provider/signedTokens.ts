import { createHash } from 'node:crypto';
import { createRemoteJWKSet, customFetch, errors, jwtVerify, type JWTPayload } from 'jose';
import { StowageError } from '../../errors.js';
import type { FetchOptions, PinnedFetch } from './pinnedFetch.js';
import type { Provider } from './provider.js';

/** Only signatures with a public key. A provider can never choose `none`, or a shared secret such as HS256. */
export const algorithms = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];

const logoutEvent = 'http://schemas.openid.net/event/backchannel-logout';

/** The published keys are kept for 10 minutes, so a token of a key that is gone is refused no later because of this. */
const verifiedForMs = 30_000;
/** From this number of tokens on, all are forgotten, and checked again. */
const mostVerified = 1_000;

export type AccessClaims = JWTPayload & { readonly sub: string; readonly exp: number };

type Keys = ReturnType<typeof createRemoteJWKSet>;

/** Who has to be signed out. Without `sub` only the session of the provider, without `sid` all of a person. */
export type LogoutOrder = { readonly sub: string | null; readonly sid: string | null; readonly issuedAt: Date };

/** The tokens that a provider signs for others than our own sign-in: access tokens of programs, and orders to sign out. */
export class SignedTokens {
  /** The claims of valid access tokens, by the hash of the token, and until when they are used without another check. */
  readonly #verified = new Map<string, { readonly claims: AccessClaims; readonly untilMs: number }>();
  #keys: { readonly uri: string; readonly keys: Keys } | undefined;

  constructor(
    private readonly provider: Provider,
    private readonly fetch: PinnedFetch,
    /** The audience of access tokens. Null: access tokens of the provider are not accepted. */
    private readonly audience: string | null,
  ) {}

  /**
   * The claims of an access token. Undefined: it is not valid. Throws if the keys of the provider cannot be read. ID tokens,
   * refresh tokens and logout tokens are signed with the same keys, and are refused: they are for other purposes.
   */
  async accessToken(token: string): Promise<AccessClaims | undefined> {
    if (this.audience === null) return undefined;
    const hash = createHash('sha256').update(token).digest('base64');
    const known = this.#verified.get(hash);
    const nowMs = Date.now();
    if (known !== undefined && nowMs < known.untilMs) return known.claims;
    this.#verified.delete(hash);
    const claims = await this.#accessClaims(token, this.audience);
    if (claims === undefined) return undefined;
    if (this.#verified.size >= mostVerified) this.#verified.clear();
    this.#verified.set(hash, { claims, untilMs: Math.min(nowMs + verifiedForMs, claims.exp * 1000) });
    return claims;
  }

  async #accessClaims(token: string, audience: string): Promise<AccessClaims | undefined> {
    const claims = await this.#verify(token, audience, ['sub', 'exp', 'iat']);
    const { sub, exp } = claims ?? {};
    if (claims === undefined || typeof sub !== 'string' || sub === '' || exp === undefined) return undefined;
    const isOther = ['nonce', 'at_hash', 'c_hash', 's_hash', 'events'].some((name) => name in claims);
    const kind = claims['typ'];
    // A UAA marks its refresh tokens only by their id and their scopes.
    const isRefresh = 'granted_scopes' in claims || ('cid' in claims && String(claims.jti).endsWith('-r'));
    if (isOther || isRefresh || (typeof kind === 'string' && /^(ID|Refresh|Offline|Logout)$/i.test(kind)))
      return undefined;
    return { ...claims, sub, exp };
  }

  /** An order of the provider's back channel (OpenID Connect Back-Channel Logout 1.0, 2.6). Undefined: it is not valid. */
  async logoutOrder(token: string): Promise<LogoutOrder | undefined> {
    const claims = await this.#verify(token, this.provider.settings.clientId, ['iat', 'jti', 'events'], '3m');
    if (claims === undefined || 'nonce' in claims) return undefined;
    const { events, sub, sid, iat = 0 } = claims;
    if (typeof events !== 'object' || events === null || !Object.hasOwn(events, logoutEvent)) return undefined;
    const [person, session] = [textOrNull(sub), textOrNull(sid)];
    if (person === null && session === null) return undefined;
    return { sub: person, sid: session, issuedAt: new Date(iat * 1000) };
  }

  async #verify(
    token: string,
    audience: string,
    requiredClaims: string[],
    maxTokenAge?: string,
  ): Promise<JWTPayload | undefined> {
    const keys = await this.#currentKeys();
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer: this.provider.settings.issuer,
        audience,
        algorithms,
        requiredClaims,
        clockTolerance: 30,
        ...(maxTokenAge === undefined ? {} : { maxTokenAge }),
      });
      return payload;
    } catch (error) {
      // The keys could not be read. This says nothing about the token.
      if (error instanceof StowageError || error instanceof errors.JWKSTimeout) throw error;
      return undefined;
    }
  }

  /** The published keys. They are kept for 10 minutes; an unknown key causes a new request, at most every 30 s. */
  async #currentKeys(): Promise<Keys> {
    const uri = (await this.provider.configuration()).serverMetadata().jwks_uri ?? '';
    if (this.#keys?.uri !== uri) {
      const fetchKeys = (url: string, options: FetchOptions) => this.fetch(url, options);
      this.#keys = { uri, keys: createRemoteJWKSet(new URL(uri), { [customFetch]: fetchKeys }) };
    }
    return this.#keys.keys;
  }
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
