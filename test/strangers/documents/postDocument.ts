import { Agent, request } from 'node:http';

export type Answered = {
  readonly status: number;
  readonly bytes: number;
  /** The codes of the errors in the first kilobytes of the answer. */
  readonly codes: readonly string[];
  readonly ms: number;
};

/** Posts a document on a separate connection. Reads the whole answer, and keeps only its beginning. */
export function postDocument(
  { url, token }: { readonly url: string; readonly token: string },
  query: string,
  variables: object | string = {},
): Promise<Answered> {
  const agent = new Agent();
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return new Promise<Answered>((resolve, reject) => {
    const beganAt = performance.now();
    const post = request(`${url}/graphql`, { method: 'POST', headers, agent }, (response) => {
      let bytes = 0;
      let beginning = '';
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (beginning.length < 8_192) beginning += chunk.toString('latin1', 0, 8_192);
      });
      response.once('error', reject);
      response.once('end', () => {
        const codes = [...beginning.matchAll(/"code":"([A-Z_]+)"/g)].map(([, code = '']) => code);
        resolve({ status: response.statusCode ?? 0, bytes, codes, ms: performance.now() - beganAt });
      });
    });
    // JSON.stringify has no room on its stack for very deep variables.
    const json = typeof variables === 'string' ? variables : JSON.stringify(variables);
    post.once('error', reject).end(`{"query":${JSON.stringify(query)},"variables":${json}}`);
  }).finally(() => agent.destroy());
}
