import type { ObjectInfo, StoredObject, StoredSegment, VerifyOptions } from '../storage.js';
import { headObject } from './headObject.js';
import { differs, objectNameOf, readManifest, type ManifestEntry } from './manifest.js';
import type { SwiftConnection } from './swiftConnection.js';

/**
 * Compares the headers of the object, its manifest and the headers of each segment with the stored values. Reads no
 * data.
 */
export async function verifyObject(
  connection: SwiftConnection,
  name: string,
  stored: StoredObject,
  options: VerifyOptions,
): Promise<void> {
  const { signal } = options;
  const whole = await headObject(connection, name, signal);
  compare(name, whole, stored, connection.place);
  if (whole?.isLarge !== true) {
    if (stored.segments.length > 1) throw differs(name, 'is no longer a large object', connection.place);
    return;
  }
  const manifest = await readManifest(connection, name, signal);
  if (manifest.length !== stored.segments.length) {
    throw differs(name, `has ${manifest.length} segments instead of ${stored.segments.length}`, connection.place);
  }
  const pairs = manifest.map((entry, index) => ({ entry, segment: stored.segments[index] }));
  for (const { entry, segment } of pairs) {
    if (entry.hash !== segment?.etag || entry.bytes !== segment.sizeBytes) {
      throw differs(name, `has another segment '${entry.name}' in its manifest`, connection.place);
    }
  }
  // The manifest shows the segments at the time when it was written, so each segment is checked separately.
  const work = pairs.values();
  await Promise.all([...Array(4).keys()].map(() => checkSegments(connection, work, options)));
}

async function checkSegments(
  connection: SwiftConnection,
  work: Iterator<{ entry: ManifestEntry; segment: StoredSegment | undefined }>,
  { signal, onAnswer }: VerifyOptions,
): Promise<void> {
  for (let next = work.next(); next.done !== true; next = work.next()) {
    const { entry, segment } = next.value;
    const name = objectNameOf(entry, connection);
    const etag = segment?.etag ?? '';
    compare(name, await headObject(connection, name, signal), { etag, sizeBytes: entry.bytes }, connection.place);
    onAnswer?.();
  }
}

function compare(
  name: string,
  found: ObjectInfo | undefined,
  expected: { readonly etag: string; readonly sizeBytes: number },
  place: string,
): void {
  if (found === undefined) throw differs(name, 'is not there', place);
  if (found.sizeBytes !== expected.sizeBytes) {
    throw differs(name, `has ${found.sizeBytes} bytes instead of ${expected.sizeBytes}`, place);
  }
  if (found.etag !== expected.etag) throw differs(name, 'has another checksum', place);
}
