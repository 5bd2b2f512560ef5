import { lookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import type { Readable } from 'node:stream';
import { Agent, buildConnector, type Dispatcher } from 'undici';
import { TargetNotAllowed } from '../allowedTargets.js';

export type HttpRequest = {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  readonly origin: string;
  /** The path with the query, already encoded. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: HttpBody;
  readonly signal: AbortSignal;
  /** Default: the method of the client. */
  readonly headersTimeoutMs?: number;
};

/** `pieces` is called for each try. With small pieces a slow connection can be distinguished from a dead one. */
export type HttpBody = { readonly sizeBytes: number; readonly pieces: () => Iterable<Uint8Array> };

export type HttpAnswer = {
  readonly status: number;
  /** The value of a header, by its name in lower case. Empty: there is no such header. */
  readonly header: (name: string) => string;
  readonly body: Dispatcher.ResponseData['body'];
};

export type HttpLimits = {
  readonly connectTimeoutMs: number;
  /** The limit from the last byte of the request to the first byte of the answer. */
  readonly headersTimeoutMs: number;
  /** The limit between two pieces of an answer while the answer is being read. */
  readonly bodyIdleTimeoutMs: number;
};

/** HTTP with a limit on every wait and a check of every address. Follows no redirect and uses no proxy. */
export class HttpClient {
  readonly #agent: Agent;

  constructor(
    private readonly limits: HttpLimits,
    allowHost: (host: string, address: string) => boolean,
  ) {
    this.#agent = new Agent({
      connect: guardedConnector(allowHost, limits.connectTimeoutMs),
      connections: 8,
      bodyTimeout: limits.bodyIdleTimeoutMs,
      allowH2: false,
    });
  }

  /** The caller must read or drop the body. Throws errors of undici and of the system, or the reason of the signal. */
  async request(request: HttpRequest): Promise<HttpAnswer> {
    const { body, signal } = request;
    signal.throwIfAborted();
    try {
      const answer = await this.#agent.request({
        origin: request.origin,
        path: request.path,
        method: request.method,
        headers: {
          'user-agent': 'stowage',
          ...request.headers,
          ...(body === undefined ? {} : { 'content-length': String(body.sizeBytes) }),
        },
        signal,
        headersTimeout: request.headersTimeoutMs ?? this.limits.headersTimeoutMs,
        // undici accepts any iterable, but its types allow only Node's streams.
        ...(body === undefined ? {} : { body: body.pieces() as unknown as Readable }),
      });
      // A body can still fail after reading has stopped. Without a listener this error would end the process.
      answer.body.on('error', () => undefined);
      return {
        status: answer.statusCode,
        header: (name) => [answer.headers[name]].flat()[0] ?? '',
        body: answer.body,
      };
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
  }

  /** Closes every connection at once, also those in use. */
  close(): Promise<void> {
    return this.#agent.destroy();
  }
}

/** The whole body as text. Throws if it is longer than `limitBytes`. */
export async function readText(answer: HttpAnswer, limitBytes: number): Promise<string> {
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  for await (const piece of answer.body as AsyncIterable<Buffer>) {
    sizeBytes += piece.length;
    if (sizeBytes > limitBytes) throw new Error(`The answer is longer than ${limitBytes} bytes.`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** The whole body as JSON. Undefined: it is not valid JSON. Throws if it is longer than `limitBytes`. */
export async function readJson(answer: HttpAnswer, limitBytes: number): Promise<unknown> {
  const text = await readText(answer, limitBytes);
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Reads the rest of a short answer, so that its connection can be used again. */
export async function drop(answer: HttpAnswer): Promise<void> {
  await answer.body.dump({ limit: 128 * 1024 }).catch(() => undefined);
}

function guardedConnector(
  allowHost: (host: string, address: string) => boolean,
  timeoutMs: number,
): buildConnector.connector {
  const connect = buildConnector({
    timeout: timeoutMs,
    lookup: guardedLookup(allowHost),
  });
  return (options, callback) => {
    const host = bareHost(options.hostname);
    // Node does not resolve a host that is an address, so it does not call the guarded lookup.
    if (isIP(host) !== 0 && !allowHost(host, host)) callback(new TargetNotAllowed(host), null);
    else connect(options, callback);
  };
}

/** Resolves a name only to its allowed addresses. The connection then goes to one of these addresses. */
function guardedLookup(allowHost: (host: string, address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      if (error !== null) {
        callback(error, '', 0);
        return;
      }
      const allowed = addresses.filter(({ address }) => allowHost(hostname, address));
      const [first] = allowed;
      if (first === undefined) {
        callback(new TargetNotAllowed(hostname), '', 0);
        return;
      }
      if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

/** Converts `[::1]` to `::1`. */
function bareHost(hostname: string): string {
  const inner = hostname.replace(/^\[|\]$/g, '');
  return isIP(inner) === 6 ? inner : hostname;
}
