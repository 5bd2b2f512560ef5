import { unlessAborted } from '../../unlessAborted.js';
import { defaultAllowedTargets, parseAllowedTargets } from '../allowedTargets.js';
import { checkObjectName } from '../objectName.js';
import { authenticate } from './authentication.js';
import { drop, HttpClient, readText, type HttpAnswer, type HttpBody, type HttpRequest } from '../http/httpClient.js';
import type { SwiftLogin } from './login.js';
import { loginKey, type LoginCache } from './loginCache.js';
import { retryAfterMs, withRetries, type Outcome } from '../http/retry.js';
import { isPassing, statusError } from './statusErrors.js';
import { settingsProblem } from './swiftRules.js';
import { defaultTuning, type SwiftSettings, type SwiftTuning } from './swiftSettings.js';
import { mayPass, transportError } from '../http/transportErrors.js';

/**
 * The limit for the text of an error. An answer that refuses a manifest names each of its segments, up to a thousand.
 */
const longestAnswerBytes = 1024 * 1024;

export type SwiftRequest = {
  readonly method: HttpRequest['method'];
  /** The target of a request: an object, the container, the account, or the cluster's description of itself. */
  readonly target: { readonly object: string } | 'container' | 'account' | 'info';
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: HttpBody;
  readonly signal: AbortSignal;
  /** Statuses that are passed to `read`. Every other status is retried or becomes an error. */
  readonly expected: readonly number[];
  /** Statuses that are retried besides those of `isPassing`. */
  readonly alsoPassing?: readonly number[];
  /** The continuation of "could not …" up to the container's name, for example `store the object 'x' in`. */
  readonly doing: string;
  readonly headersTimeoutMs?: number;
  /** Default: the value of the tuning. */
  readonly attempts?: number;
};

/** One container of one account. It sends requests with a token that it renews, and retries them if that may help. */
export class SwiftConnection {
  readonly tuning: SwiftTuning;
  /** The name in sentences: the container and its location. */
  readonly place: string;
  readonly container: string;
  readonly #http: HttpClient;
  readonly #key: string;

  /** Throws BAD_INPUT for an invalid auth URL or container name. Does not connect yet. */
  constructor(
    readonly settings: SwiftSettings,
    private readonly logins: LoginCache,
    private readonly random: () => number = Math.random,
  ) {
    const problem = settingsProblem(settings);
    if (problem !== undefined) throw problem;
    this.tuning = { ...defaultTuning, ...settings.tuning };
    this.container = settings.container;
    const where = settings.region === undefined ? `at ${new URL(settings.authUrl).host}` : `in ${settings.region}`;
    this.place = `container '${settings.container}' ${where}`;
    this.#http = new HttpClient(
      this.tuning,
      settings.allowHost ?? ((host, address) => parseAllowedTargets(defaultAllowedTargets).allowsHost(host, address)),
    );
    this.#key = loginKey(settings);
  }

  /** Sends a request without credentials to check that the login service answers. Throws the error of the network. */
  async knock(signal: AbortSignal): Promise<void> {
    const url = new URL(this.settings.authUrl);
    try {
      await drop(
        await this.#http.request({ method: 'GET', origin: url.origin, path: url.pathname, headers: {}, signal }),
      );
    } catch (error) {
      signal.throwIfAborted();
      throw transportError(error, url.host);
    }
  }

  /** Logs in, or returns the cached login. `refused` is a login that the storage no longer accepts. */
  async login(signal: AbortSignal, refused?: SwiftLogin): Promise<SwiftLogin> {
    // Other callers may wait for the same login, so an abort ends only this wait, and not the login.
    const ownSignal = () => AbortSignal.timeout(this.tuning.connectTimeoutMs + this.tuning.headersTimeoutMs);
    const logIn = () => authenticate({ settings: this.settings, http: this.#http, signal: ownSignal() });
    return unlessAborted(signal, () => this.logins.get(this.#key, logIn, refused));
  }

  /**
   * Sends a request until it gets one of the `expected` answers, and returns the result of `read`. `tries` counts from
   * 1, because an earlier try whose answer was lost may have had its effect. Throws a StowageError, or the reason of
   * the signal.
   */
  async send<T>(request: SwiftRequest, read: (answer: HttpAnswer, tries: number) => Promise<T>): Promise<T> {
    const limits = { ...this.tuning, attempts: request.attempts ?? this.tuning.attempts };
    return withRetries(
      limits,
      request.signal,
      (tries) => this.#try(request, read, { tries, isLast: tries >= limits.attempts }),
      this.random,
    );
  }

  async #try<T>(
    request: SwiftRequest,
    read: (answer: HttpAnswer, tries: number) => Promise<T>,
    { tries, isLast }: { readonly tries: number; readonly isLast: boolean },
  ): Promise<Outcome<T>> {
    try {
      const answer = await this.#answerTo(request);
      if (request.expected.includes(answer.status)) return { done: await read(answer, tries) };
      const text = request.method === 'HEAD' ? '' : await readText(answer, longestAnswerBytes).catch(() => '');
      const failure = statusError(answer.status, request.doing, this.place, text);
      if (!isPassing(answer.status, text) && request.alsoPassing?.includes(answer.status) !== true) throw failure;
      return { failure, retryAfterMs: retryAfterMs(answer.header('retry-after'), Date.now()) };
    } catch (error) {
      request.signal.throwIfAborted();
      const failure = transportError(error, `The object storage of ${this.place}`);
      if (!mayPass(error)) throw failure;
      if (request.body !== undefined && !isLast) await this.#askWhyItWasCut(request);
      return { failure, retryAfterMs: 0 };
    }
  }

  /** Sends a request once. A token that the storage refuses is renewed, and the request is sent again. */
  async #answerTo(request: SwiftRequest): Promise<HttpAnswer> {
    const login = await this.login(request.signal);
    const answer = await this.#http.request(this.#toHttp(request, login));
    if (answer.status !== 401 || request.expected.includes(401)) return answer;
    await drop(answer);
    return this.#http.request(this.#toHttp(request, await this.login(request.signal, login)));
  }

  close(): Promise<void> {
    return this.#http.close();
  }

  /**
   * A server that refuses a long upload may close the connection before its answer is read. A short request shows
   * whether the token has expired, and renews it.
   */
  async #askWhyItWasCut(request: SwiftRequest): Promise<void> {
    const { signal } = request;
    const question: SwiftRequest = {
      method: 'HEAD',
      target: 'container',
      signal,
      expected: [200, 204, 403, 404],
      doing: request.doing,
      attempts: 1,
    };
    try {
      await this.send(question, drop);
    } catch (error) {
      signal.throwIfAborted();
      if (!mayPass(error)) throw error;
    }
  }

  #toHttp(request: SwiftRequest, login: SwiftLogin): HttpRequest {
    const url = login.storageUrl();
    const query = new URLSearchParams(request.query).toString();
    return {
      method: request.method,
      origin: url.origin,
      path: pathOf(request.target, url, this.container) + (query === '' ? '' : `?${query}`),
      headers: { ...request.headers, ...(request.target === 'info' ? {} : { 'x-auth-token': login.token }) },
      signal: request.signal,
      ...(request.body === undefined ? {} : { body: request.body }),
      ...(request.headersTimeoutMs === undefined ? {} : { headersTimeoutMs: request.headersTimeoutMs }),
    };
  }
}

/** The path of a target, with the names in it encoded. */
function pathOf(target: SwiftRequest['target'], storageUrl: URL, container: string): string {
  const account = storageUrl.pathname.replace(/\/+$/, '');
  if (target === 'account') return account;
  // The description of the cluster is next to the `/v1` of its storage URLs.
  if (target === 'info') return `${account.replace(/\/v1(\.0)?(\/.*)?$/, '')}/info`;
  const base = `${account}/${encodeURIComponent(container)}`;
  if (target === 'container') return base;
  checkObjectName(target.object);
  return `${base}/${target.object.split('/').map(encodeURIComponent).join('/')}`;
}
