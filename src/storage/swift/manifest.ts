import { z } from 'zod';
import { StowageError } from '../../errors.js';
import { drop, readJson } from '../http/httpClient.js';
import { largeObjectEtag } from './etags.js';
import type { SwiftConnection } from './swiftConnection.js';

const manifestAnswer = z.array(
  z.object({ name: z.string(), hash: z.string(), bytes: z.number(), sub_slo: z.boolean().optional() }),
);
/** `sub_slo`: a manifest, and no segment. */
export type ManifestEntry = z.infer<typeof manifestAnswer>[number];

/** What the manifest of a large object names, in order. Throws CHECKSUM if the manifest is missing or unreadable. */
export async function readManifest(
  connection: SwiftConnection,
  name: string,
  signal: AbortSignal,
): Promise<readonly ManifestEntry[]> {
  const found = await connection.send(
    {
      method: 'GET',
      target: { object: name },
      query: { 'multipart-manifest': 'get' },
      signal,
      expected: [200, 404],
      doing: `read the manifest of '${name}' in`,
    },
    async (answer) => {
      if (answer.status === 200) return readJson(answer, 16 * 1024 * 1024);
      await drop(answer);
      throw differs(name, 'is not there', connection.place);
    },
  );
  const manifest = manifestAnswer.safeParse(found);
  if (!manifest.success) throw differs(name, 'has a manifest that cannot be read', connection.place);
  return manifest.data;
}

/**
 * The segments of a large object, in order, also those that its manifest names through other manifests. Throws CHECKSUM
 * if a manifest is missing, unreadable, or not the one that was named.
 */
export async function* readSegments(
  connection: SwiftConnection,
  name: string,
  signal: AbortSignal,
): AsyncGenerator<ManifestEntry, void, undefined> {
  yield* segmentsOf(connection, await readManifest(connection, name, signal), signal);
}

async function* segmentsOf(
  connection: SwiftConnection,
  entries: readonly ManifestEntry[],
  signal: AbortSignal,
): AsyncGenerator<ManifestEntry, void, undefined> {
  for (const entry of entries) {
    if (entry.sub_slo === true) {
      const name = objectNameOf(entry, connection);
      const below = await readManifest(connection, name, signal);
      if (largeObjectEtag(below.map(({ hash }) => ({ etag: hash }))) !== entry.hash) {
        throw differs(name, 'has another checksum', connection.place);
      }
      yield* segmentsOf(connection, below, signal);
    } else yield entry;
  }
}

/** Manifests name segments as `/container/name`. Throws CHECKSUM for a segment in another container. */
export function objectNameOf(entry: ManifestEntry, connection: SwiftConnection): string {
  const prefix = `/${connection.container}/`;
  if (entry.name.startsWith(prefix)) return entry.name.slice(prefix.length);
  throw differs(entry.name, 'is in another container', connection.place);
}

export function differs(name: string, how: string, place: string): StowageError {
  return new StowageError('CHECKSUM', `The object '${name}' in ${place} ${how}.`);
}
