import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { z } from 'zod';

const listing = z.array(z.object({ name: z.string(), bytes: z.number(), hash: z.string(), last_modified: z.string() }));

export type ListedObject = z.infer<typeof listing>[number];

/** A container as somebody sees it who has plain HTTP, and nothing of ours. */
export type ForeignHand = {
  list(prefix?: string): Promise<readonly ListedObject[]>;
  text(name: string): Promise<string>;
  /** Into a file; answers the SHA-256 of what came, hex, and its size. */
  download(name: string, file: string): Promise<{ readonly sha256: string; readonly sizeBytes: number }>;
  setQuota(bytes: number | null): Promise<void>;
};

export async function openForeignHand(swiftUrl: string, container: string): Promise<ForeignHand> {
  const login = await fetch(`${swiftUrl}/auth/v1.0`, {
    headers: { 'x-auth-user': 'test:tester', 'x-auth-key': 'testing' },
  });
  const token = { 'x-auth-token': login.headers.get('x-auth-token') ?? '' };
  const base = `${login.headers.get('x-storage-url') ?? ''}/${container}`;
  const get = async (path: string): Promise<Response> => {
    const answer = await fetch(base + path, { headers: token });
    if (!answer.ok) throw new Error(`GET ${path} answered ${answer.status}.`);
    return answer;
  };
  const pathOf = (name: string) => `/${name.split('/').map(encodeURIComponent).join('/')}`;
  return {
    list: async (prefix = '') =>
      listing.parse(await (await get(`?format=json&limit=10000&prefix=${encodeURIComponent(prefix)}`)).json()),
    text: async (name) => (await get(pathOf(name))).text(),
    async download(name, file) {
      const { body } = await get(pathOf(name));
      if (body === null) throw new Error(`'${name}' came without a body.`);
      const sha256 = createHash('sha256');
      let sizeBytes = 0;
      await pipeline(
        Readable.fromWeb(body),
        async function* (pieces: AsyncIterable<Uint8Array>) {
          for await (const piece of pieces) {
            sha256.update(piece);
            sizeBytes += piece.length;
            yield piece;
          }
        },
        createWriteStream(file),
      );
      return { sha256: sha256.digest('hex'), sizeBytes };
    },
    async setQuota(bytes) {
      const quota = { 'x-container-meta-quota-bytes': bytes === null ? '' : String(bytes) };
      await fetch(base, { method: 'POST', headers: { ...token, ...quota } });
      // The proxy server remembers a container's quota for a moment.
      await pause(200);
    },
  };
}

/** The digest of the text in a zstd file, but for the last line, which says when it was written. Throws what zstd says. */
export async function digestOfDump(file: string): Promise<{ readonly digest: string; readonly sizeBytes: number }> {
  const options = { encoding: 'buffer', maxBuffer: 256 * 1024 * 1024 } as const;
  const { stdout } = await promisify(execFile)('zstd', ['-d', '-c', '-q', file], options);
  const end = stdout.lastIndexOf('-- Dump completed on');
  if (end < 0) throw new Error('The dump has no line that says that it is complete.');
  return { digest: createHash('sha256').update(stdout.subarray(0, end)).digest('hex'), sizeBytes: stdout.length };
}
