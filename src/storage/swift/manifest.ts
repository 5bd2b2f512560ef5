import { z } from 'zod';
import { StowageError } from '../../errors.js';
import { drop, readJson } from '../http/httpClient.js';
import type { SwiftConnection } from './swiftConnection.js';

const manifestAnswer = z.array(z.object({ name: z.string(), hash: z.string(), bytes: z.number() }));
export type ManifestEntry = z.infer<typeof manifestAnswer>[number];

/** The segments of a large object, in order. Throws CHECKSUM if the manifest is missing or unreadable. */
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

/** Manifests name segments as `/container/name`. Throws CHECKSUM for a segment in another container. */
export function objectNameOf(entry: ManifestEntry, connection: SwiftConnection): string {
  const prefix = `/${connection.container}/`;
  if (entry.name.startsWith(prefix)) return entry.name.slice(prefix.length);
  throw differs(entry.name, 'is in another container', connection.place);
}

export function differs(name: string, how: string, place: string): StowageError {
  return new StowageError('CHECKSUM', `The object '${name}' in ${place} ${how}.`);
}
