import { createHash } from 'node:crypto';
import { StowageError } from '../../errors.js';
import { bareEtag } from './etags.js';
import { headObject } from './headObject.js';
import { drop } from '../http/httpClient.js';
import type { SwiftConnection } from './swiftConnection.js';

/** Stores a plain object in one request. */
export async function putBytes(
  connection: SwiftConnection,
  name: string,
  bytes: Uint8Array,
  options: { readonly signal: AbortSignal; readonly overwrite?: boolean },
): Promise<{ etag: string }> {
  const md5 = createHash('md5').update(bytes).digest('hex');
  const outcome = await connection.send(
    {
      method: 'PUT',
      target: { object: name },
      headers: {
        etag: md5,
        'content-type': 'application/octet-stream',
        ...(options.overwrite === true ? {} : { 'if-none-match': '*' }),
      },
      body: { sizeBytes: bytes.byteLength, pieces: () => (bytes.byteLength === 0 ? [] : [bytes]) },
      signal: options.signal,
      expected: [201, 412],
      alsoPassing: [422],
      doing: `store the object '${name}' in`,
    },
    async (answer, tries) => {
      await drop(answer);
      return { status: answer.status, etag: bareEtag(answer.header('etag')), tries };
    },
  );
  if (outcome.status === 412) {
    // If an answer was lost, the object may come from our own earlier try.
    const found = outcome.tries > 1 ? await headObject(connection, name, options.signal) : undefined;
    if (found?.etag === md5) return { etag: md5 };
    throw new StowageError('CONFLICT', `An object '${name}' already exists in ${connection.place}.`);
  }
  if (outcome.etag !== md5) {
    throw new StowageError(
      'CHECKSUM',
      `The checksum that ${connection.place} confirmed for '${name}' differs from the checksum of the sent bytes.`,
    );
  }
  return { etag: md5 };
}
