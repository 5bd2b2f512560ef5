import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { z } from 'zod';

const listing = z.array(z.object({ name: z.string(), bytes: z.number(), hash: z.string(), last_modified: z.string() }));

export type ListedObject = z.infer<typeof listing>[number];

/** Access to the place of the backups for a person without Stowage, who can read and change it. */
export type ForeignHand = {
  list(prefix?: string): Promise<readonly ListedObject[]>;
  bytes(name: string): Promise<Buffer>;
  /** Downloads into a file. Returns the SHA-256 of the bytes, hex, and their number. */
  download(name: string, file: string): Promise<{ readonly sha256: string; readonly sizeBytes: number }>;
  /** Replaces an existing object of that name. */
  put(name: string, bytes: Uint8Array): Promise<void>;
  remove(name: string): Promise<void>;
};

/** The quotas of a container and of its account. */
export type Quotas = { readonly bytes?: number; readonly objects?: number; readonly accountBytes?: number };

/** Access to a container by plain HTTP. */
export type SwiftHand = ForeignHand & {
  /** The entries of the manifest of a large object, in the form of a PUT. */
  manifest(name: string): Promise<readonly ManifestEntry[]>;
  putManifest(name: string, entries: readonly ManifestEntry[]): Promise<void>;
  /** The names of all containers of the account. */
  containers(): Promise<readonly string[]>;
  /** The number of bytes of the container in Swift's account: segments of large objects count, manifests do not. */
  used(): Promise<{ readonly bytes: number; readonly objects: number }>;
  /** Removes the quotas that are not given. The storage reads the size of the container again. */
  setQuotas(quotas: Quotas): Promise<void>;
};

const manifestAnswer = z.array(z.object({ name: z.string(), hash: z.string(), bytes: z.number() }));

export type ManifestEntry = { readonly path: string; readonly etag: string; readonly size_bytes: number };

export async function openSwiftHand(swiftUrl: string, container: string): Promise<SwiftHand> {
  const login = async (user: string, key: string) => {
    const answer = await fetch(`${swiftUrl}/auth/v1.0`, { headers: { 'x-auth-user': user, 'x-auth-key': key } });
    return {
      token: { 'x-auth-token': answer.headers.get('x-auth-token') ?? '' },
      url: answer.headers.get('x-storage-url') ?? '',
    };
  };
  const [{ token, url }, admin] = await Promise.all([login('test:tester', 'testing'), login('admin:admin', 'admin')]);
  const base = `${url}/${container}`;
  const request = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const answer = await fetch(base + path, { headers: token, ...init });
    if (!answer.ok) throw new Error(`${init.method ?? 'GET'} ${path} answered ${answer.status}.`);
    return answer;
  };
  const pathOf = (name: string) => `/${name.split('/').map(encodeURIComponent).join('/')}`;
  return {
    list: async (prefix = '') =>
      listing.parse(await (await request(`?format=json&limit=10000&prefix=${encodeURIComponent(prefix)}`)).json()),
    bytes: async (name) => Buffer.from(await (await request(pathOf(name))).arrayBuffer()),
    async download(name, file) {
      const { body } = await request(pathOf(name));
      if (body === null) throw new Error(`The answer for '${name}' has no body.`);
      return hashInto(file, Readable.fromWeb(body));
    },
    async put(name, bytes) {
      await request(pathOf(name), { method: 'PUT', body: Buffer.from(bytes) });
    },
    async remove(name) {
      await request(pathOf(name), { method: 'DELETE' });
    },
    async manifest(name) {
      const found = manifestAnswer.parse(await (await request(`${pathOf(name)}?multipart-manifest=get`)).json());
      return found.map((entry) => ({ path: entry.name, etag: entry.hash, size_bytes: entry.bytes }));
    },
    async putManifest(name, entries) {
      await request(`${pathOf(name)}?multipart-manifest=put`, { method: 'PUT', body: JSON.stringify(entries) });
    },
    async containers() {
      const answer = await fetch(`${url}?format=json`, { headers: token });
      return z
        .array(z.object({ name: z.string() }))
        .parse(await answer.json())
        .map(({ name }) => name);
    },
    async used() {
      const { headers } = await request('', { method: 'HEAD' });
      const number = (name: string) => Number(headers.get(name));
      return { bytes: number('x-container-bytes-used'), objects: number('x-container-object-count') };
    },
    async setQuotas({ bytes, objects, accountBytes }) {
      const headerOf = (limit: number | undefined) => (limit === undefined ? '' : String(limit));
      const ofContainer = {
        'x-container-meta-quota-bytes': headerOf(bytes),
        'x-container-meta-quota-count': headerOf(objects),
      };
      await request('', { method: 'POST', headers: { ...token, ...ofContainer } });
      const ofAccount = { 'x-account-meta-quota-bytes': headerOf(accountBytes) };
      const answer = await fetch(url, { method: 'POST', headers: { ...admin.token, ...ofAccount } });
      if (!answer.ok) throw new Error(`The account's quota: ${answer.status}.`);
    },
  };
}

/** Writes a stream into a file. */
export async function hashInto(
  file: string,
  source: Readable,
): Promise<{ readonly sha256: string; readonly sizeBytes: number }> {
  const sha256 = createHash('sha256');
  let sizeBytes = 0;
  await pipeline(
    source,
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
}

/** The digest of the text in a zstd file, without the last line, which contains a time. Throws the error of zstd. */
export async function digestOfDump(file: string): Promise<{ readonly digest: string; readonly sizeBytes: number }> {
  const options = { encoding: 'buffer', maxBuffer: 256 * 1024 * 1024 } as const;
  const { stdout } = await promisify(execFile)('zstd', ['-d', '-c', '-q', file], options);
  const end = stdout.lastIndexOf('-- Dump completed on');
  if (end < 0) throw new Error('The dump has no completion line.');
  return { digest: createHash('sha256').update(stdout.subarray(0, end)).digest('hex'), sizeBytes: stdout.length };
}
