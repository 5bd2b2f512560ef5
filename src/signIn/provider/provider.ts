import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  buildEndSessionUrl,
  calculatePKCECodeChallenge,
  ClientSecretBasic,
  clockTolerance,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  fetchUserInfo,
  None,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
  refreshTokenGrant,
  Configuration,
  type ClientAuth,
  type CustomFetchOptions,
  type TokenEndpointResponse,
  type TokenEndpointResponseHelpers,
} from 'openid-client';
import type { Secret } from '../../secret.js';
import type { PinnedFetch } from './pinnedFetch.js';

export type ProviderSettings = {
  readonly issuer: string;
  readonly clientId: string;
  /** Null: a public client, which only PKCE protects. */
  readonly clientSecret: Secret | null;
  /** Separated by spaces. */
  readonly scopes: string;
  /** The provider is the UAA of Cloud Foundry, whose sign-out is not in its metadata. */
  readonly isUaa?: boolean;
};

/** The part of a sign-in that its browser keeps until the callback, encrypted. */
export type Flow = {
  readonly issuer: string;
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
};

/** The tokens of a person. The ID token is the hint of a sign-out. */
export type ProviderTokens = {
  readonly idToken: string | null;
  readonly refreshToken: string | null;
  readonly accessToken: string;
  /** How long the access token is valid. Undefined: unknown. */
  readonly expiresInMs: number | undefined;
};

export type Identified = {
  readonly sub: string;
  /** The claims of the ID token and of userinfo. */
  readonly claims: Readonly<Record<string, unknown>>;
  readonly tokens: ProviderTokens;
};

/** Settings allow plain http only for a provider on this machine. It is marked as deprecated only to draw attention. */
// eslint-disable-next-line @typescript-eslint/no-deprecated -- see above
const plainHttp: readonly ((configuration: Configuration) => void)[] = [allowInsecureRequests];

const clientMetadata = { [clockTolerance]: 30 };
const timeoutSeconds = 15;
const metadataAgeMs = 3_600_000;
const pauseAfterFailureMs = 5_000;

/**
 * A provider of OpenID Connect. Its metadata is read when it is needed, and again after an hour. If it does not answer
 * then, the old metadata stays in use. Errors are those of openid-client; `whyRefused` explains them.
 */
export class Provider {
  #configuration: Configuration | undefined;
  #readAtMs = -Infinity;
  #failed: { readonly error: unknown; readonly atMs: number } | undefined;
  #reading: Promise<Configuration> | undefined;

  constructor(
    readonly settings: ProviderSettings,
    private readonly fetch: PinnedFetch,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** The name for people. */
  get name(): string {
    return new URL(this.settings.issuer).host;
  }

  /** Reads the metadata. A failure is remembered for 5 s, so that many browsers do not cause many requests. */
  async configuration(): Promise<Configuration> {
    const now = this.nowMs();
    if (this.#configuration !== undefined && now - this.#readAtMs < metadataAgeMs) return this.#configuration;
    if (this.#failed !== undefined && now - this.#failed.atMs < pauseAfterFailureMs) {
      if (this.#configuration !== undefined) return this.#configuration;
      throw this.#failed.error;
    }
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  /** The address to which the browser is sent, and the secrets that the callback needs. */
  async start(redirectUri: string): Promise<{ readonly url: URL; readonly flow: Flow }> {
    const configuration = await this.configuration();
    const [state, nonce, codeVerifier] = [randomState(), randomNonce(), randomPKCECodeVerifier()];
    const url = buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUri,
      scope: this.settings.scopes,
      response_type: 'code',
      state,
      nonce,
      code_challenge: await calculatePKCECodeChallenge(codeVerifier),
      code_challenge_method: 'S256',
    });
    return { url, flow: { issuer: this.settings.issuer, state, nonce, codeVerifier } };
  }

  /** Exchanges the code of the callback. Checks state, nonce, issuer, audience, times and signature. */
  async finish(callback: URL, flow: Flow): Promise<Identified> {
    const configuration = this.#withNewKeys(await this.configuration());
    const tokens = await authorizationCodeGrant(configuration, callback, {
      expectedState: flow.state,
      expectedNonce: flow.nonce,
      pkceCodeVerifier: flow.codeVerifier,
      idTokenExpected: true,
    });
    return this.#identified(configuration, tokens);
  }

  /** Renews the tokens of a person, and reads the claims again. */
  async renew(refreshToken: string, sub: string): Promise<Identified> {
    const configuration = this.#withNewKeys(await this.configuration());
    const tokens = await refreshTokenGrant(configuration, refreshToken);
    return this.#identified(configuration, tokens, { sub, refreshToken });
  }

  /** Where a browser ends its session at the provider. Undefined: the provider has no such page. */
  async signOutUrl(idToken: string | null, returnTo: string): Promise<URL | undefined> {
    const { clientId } = this.settings;
    const configuration = await this.configuration();
    const { end_session_endpoint: endSession, authorization_endpoint: authorization } = configuration.serverMetadata();
    if (endSession === undefined && this.settings.isUaa === true)
      return uaaSignOutUrl(authorization, clientId, returnTo);
    if (endSession === undefined) return undefined;
    return buildEndSessionUrl(configuration, {
      post_logout_redirect_uri: returnTo,
      ...(idToken === null ? {} : { id_token_hint: idToken }),
    });
  }

  async #identified(
    configuration: Configuration,
    tokens: TokenEndpointResponse & TokenEndpointResponseHelpers,
    before?: { readonly sub: string; readonly refreshToken: string },
  ): Promise<Identified> {
    const ofIdToken = tokens.claims();
    const sub = before?.sub ?? ofIdToken?.sub;
    if (sub === undefined || (ofIdToken !== undefined && ofIdToken.sub !== sub)) {
      throw new Error('The provider sent the identity of another person.');
    }
    const hasUserInfo = configuration.serverMetadata().userinfo_endpoint !== undefined;
    const ofUserInfo = hasUserInfo ? await fetchUserInfo(configuration, tokens.access_token, sub) : {};
    return {
      sub,
      claims: { ...ofUserInfo, ...ofIdToken },
      tokens: {
        idToken: tokens.id_token ?? null,
        refreshToken: tokens.refresh_token ?? before?.refreshToken ?? null,
        accessToken: tokens.access_token,
        expiresInMs: tokens.expires_in === undefined ? undefined : tokens.expires_in * 1000,
      },
    };
  }

  /**
   * The same configuration without known keys, so that the keys of the provider are read for each sign-in. Otherwise
   * openid-client would refuse a new key for a minute after it has read the old ones.
   */
  #withNewKeys(read: Configuration): Configuration {
    const { clientId } = this.settings;
    return this.#prepared(new Configuration(read.serverMetadata(), clientId, clientMetadata, this.#authentication()));
  }

  #prepared(configuration: Configuration): Configuration {
    configuration[customFetch] = this.#fetchOfClient;
    configuration.timeout = timeoutSeconds;
    enableNonRepudiationChecks(configuration);
    for (const allow of this.settings.issuer.startsWith('http:') ? plainHttp : []) allow(configuration);
    return configuration;
  }

  #authentication(): ClientAuth {
    const { clientSecret } = this.settings;
    return clientSecret === null ? None() : ClientSecretBasic(clientSecret.reveal());
  }

  #fetchOfClient = (url: string, options: CustomFetchOptions) => this.fetch(url, options);

  async #read(): Promise<Configuration> {
    const { issuer, clientId } = this.settings;
    try {
      const configuration = await discovery(new URL(issuer), clientId, clientMetadata, this.#authentication(), {
        [customFetch]: this.#fetchOfClient,
        timeout: timeoutSeconds,
        execute: issuer.startsWith('http:') ? [...plainHttp] : [],
      });
      this.#prepared(configuration);
      this.#configuration = configuration;
      this.#readAtMs = this.nowMs();
      this.#failed = undefined;
      return configuration;
    } catch (error) {
      this.#failed = { error, atMs: this.nowMs() };
      if (this.#configuration !== undefined) return this.#configuration;
      throw error;
    }
  }
}

/** `/logout.do` beside `/oauth/authorize` (UAA API, "Logout.do"). It returns only to redirect URIs of the client. */
function uaaSignOutUrl(authorization: string | undefined, clientId: string, returnTo: string): URL | undefined {
  if (authorization?.endsWith('/oauth/authorize') !== true) return undefined;
  const url = new URL(authorization.replace(/\/oauth\/authorize$/, '/logout.do'));
  url.search = new URLSearchParams({ client_id: clientId, redirect: returnTo }).toString();
  return url;
}
