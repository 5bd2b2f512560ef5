import type { ObjectInfo, StoredObject, VerifyOptions } from '../storage.js';
import { headObject } from './headObject.js';
import { differs, objectNameOf, readSegments, type ManifestEntry } from './manifest.js';
import type { SwiftConnection } from './swiftConnection.js';

/**
 * Compares the headers of the object, its manifests and the headers of each segment with the stored values. Reads no
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
  // A manifest shows the segments at the time when it was written, so each segment is checked separately.
  const pairs = comparedSegments(connection, name, stored, options);
  await Promise.all([...Array(4).keys()].map(() => checkSegments(connection, pairs, options)));
}

/** Yields the segments that the manifest names, after each was compared with the stored one. */
async function* comparedSegments(
  connection: SwiftConnection,
  name: string,
  { segments }: StoredObject,
  { signal, onAnswer }: VerifyOptions,
): AsyncGenerator<ManifestEntry, void, undefined> {
  let count = 0;
  for await (const entry of readSegments(connection, name, signal)) {
    const segment = segments[count];
    count += 1;
    if (entry.hash !== segment?.etag || entry.bytes !== segment.sizeBytes) {
      throw differs(name, `has another segment '${entry.name}' in its manifest`, connection.place);
    }
    yield entry;
  }
  onAnswer?.();
  if (count !== segments.length) {
    throw differs(name, `has ${count} segments instead of ${segments.length}`, connection.place);
  }
}

/** Several of these share one generator. It hands out each segment once. */
async function checkSegments(
  connection: SwiftConnection,
  segments: AsyncGenerator<ManifestEntry, void, undefined>,
  { signal, onAnswer }: VerifyOptions,
): Promise<void> {
  for (let next = await segments.next(); next.done !== true; next = await segments.next()) {
    const { hash: etag, bytes: sizeBytes } = next.value;
    const name = objectNameOf(next.value, connection);
    compare(name, await headObject(connection, name, signal), { etag, sizeBytes }, connection.place);
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
