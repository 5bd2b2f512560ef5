import { z } from 'zod';
import { StowageError } from '../../errors.js';
import type { ObjectInfo } from '../storage.js';
import { bareEtag } from './etags.js';
import { drop, readJson } from '../http/httpClient.js';
import type { SwiftConnection } from './swiftConnection.js';

/** Reads pages until one is empty, because a server may return fewer names than the limit. */
export async function* listObjects(
  connection: SwiftConnection,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<ObjectInfo, void, undefined> {
  for (let marker = ''; ;) {
    const page = await readPage(connection, { prefix, marker, signal });
    const last = page.at(-1);
    if (last === undefined) return;
    if (last.name <= marker && Buffer.compare(Buffer.from(last.name), Buffer.from(marker)) <= 0) {
      throw new StowageError(
        'ENDPOINT_UNREACHABLE',
        `The listing of ${connection.place} repeats names that it has already returned.`,
      );
    }
    yield* page;
    marker = last.name;
  }
}

// There are no `subdir` entries, because the request has no delimiter. For a large object `slo_etag` is its etag, and
// `hash` is the etag of its manifest.
const pageAnswer = z.array(
  z.object({ name: z.string(), bytes: z.number(), hash: z.string(), slo_etag: z.string().optional() }),
);

async function readPage(
  connection: SwiftConnection,
  from: { readonly prefix: string; readonly marker: string; readonly signal: AbortSignal },
): Promise<readonly ObjectInfo[]> {
  const found = await connection.send(
    {
      method: 'GET',
      target: 'container',
      query: {
        format: 'json',
        limit: String(connection.tuning.listingPage),
        ...(from.prefix === '' ? {} : { prefix: from.prefix }),
        ...(from.marker === '' ? {} : { marker: from.marker }),
      },
      signal: from.signal,
      expected: [200, 204],
      doing: 'list',
    },
    async (answer) => {
      if (answer.status === 200) return readJson(answer, 32 * 1024 * 1024);
      await drop(answer);
      return [];
    },
  );
  const page = pageAnswer.safeParse(found);
  if (!page.success) {
    throw new StowageError('ENDPOINT_UNREACHABLE', `The listing of ${connection.place} cannot be read.`);
  }
  return page.data.map(({ name, bytes, hash, slo_etag }) => ({
    name,
    sizeBytes: bytes,
    etag: bareEtag(slo_etag ?? hash),
  }));
}
