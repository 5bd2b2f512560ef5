import { HttpClient, readText } from '../../storage/http/httpClient.js';
import { transportError } from '../../storage/http/transportErrors.js';

/** A request as openid-client and jose send it. */
export type FetchOptions = {
  readonly method?: string;
  readonly headers?: Headers | Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal | null | undefined;
};

export type PinnedFetch = (url: string, options: FetchOptions) => Promise<Response>;

const limits = { connectTimeoutMs: 5_000, headersTimeoutMs: 10_000, bodyIdleTimeoutMs: 10_000 };
const longestAnswer = 2 * 1024 * 1024;
const wholeTimeoutMs = 20_000;

/**
 * Requests only hosts that are allowed. A name is resolved once, and the connection goes to an address that was checked.
 * No redirect is followed. An answer may have 2 MiB and take 20 s.
 */
export function pinnedFetch(allowHost: (host: string, address: string) => boolean): {
  readonly fetch: PinnedFetch;
  readonly close: () => Promise<void>;
} {
  const client = new HttpClient(limits, allowHost);
  return {
    async fetch(url, { method = 'GET', headers = {}, body, signal }) {
      const { origin, pathname, search, host } = new URL(url);
      const bytes = body === undefined || body === null ? undefined : Buffer.from(textOf(body));
      try {
        const answer = await client.request({
          method: method === 'POST' ? 'POST' : 'GET',
          origin,
          path: `${pathname}${search}`,
          headers: Object.fromEntries(new Headers(headers)),
          ...(bytes === undefined ? {} : { body: { sizeBytes: bytes.length, pieces: () => [bytes] } }),
          signal: AbortSignal.any([AbortSignal.timeout(wholeTimeoutMs), ...(signal ? [signal] : [])]),
        });
        const text = await readText(answer, longestAnswer);
        const mayHaveBody = answer.status !== 204 && answer.status !== 304;
        const shown = ['content-type', 'www-authenticate', 'cache-control'].map((name) => [name, answer.header(name)]);
        return new Response(mayHaveBody ? text : null, {
          status: answer.status,
          headers: Object.fromEntries(shown.filter(([, value]) => value !== '')) as Record<string, string>,
        });
      } catch (error) {
        throw transportError(error, host);
      }
    },
    close: () => client.close(),
  };
}

function textOf(body: unknown): string {
  if (typeof body === 'string') return body;
  if (body instanceof URLSearchParams) return body.toString();
  throw new Error('A request to the provider has a body of another kind.');
}
