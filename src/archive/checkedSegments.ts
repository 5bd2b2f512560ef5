import { createHash } from 'node:crypto';
import { StowageError } from '../errors.js';
import type { Storage } from '../storage/storage.js';
import type { ArchivePart } from './archive.js';

/**
 * Reads a part's stored bytes and yields them segment by segment, each after its SHA-256 was compared. At most one
 * segment (32 MiB) is in memory. Throws CHECKSUM naming the segment, before any byte of it is yielded.
 */
export async function* checkedSegments(
  storage: Storage,
  part: ArchivePart,
  options: { readonly signal: AbortSignal; readonly onBytes: (bytes: number) => void },
): AsyncGenerator<readonly Uint8Array[]> {
  const whole = createHash('sha256');
  let index = 0;
  let expected = part.segments[index];
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let digest = createHash('sha256');

  for await (const chunk of storage.get(part.objectName, { signal: options.signal, etag: part.etag })) {
    options.onBytes(chunk.length);
    whole.update(chunk);
    let rest = chunk;
    while (rest.length > 0) {
      if (expected === undefined) throw damaged(part, 'it is longer than the stored object');
      const piece = rest.subarray(0, expected.sizeBytes - heldBytes);
      rest = rest.subarray(piece.length);
      digest.update(piece);
      held.push(piece);
      heldBytes += piece.length;
      if (heldBytes < expected.sizeBytes) continue;
      if (digest.digest('hex') !== expected.sha256) {
        throw damaged(part, `segment ${index + 1} of ${part.segments.length} differs from the stored bytes`);
      }
      yield held;
      index += 1;
      expected = part.segments[index];
      held = [];
      heldBytes = 0;
      digest = createHash('sha256');
    }
  }
  if (expected !== undefined && expected.sizeBytes > 0) throw damaged(part, 'it is shorter than the stored object');
  if (whole.digest('hex') !== part.checksum) throw damaged(part, 'its checksum differs from that of the stored object');
}

function damaged(part: ArchivePart, why: string): StowageError {
  return new StowageError('CHECKSUM', `The stored object '${part.objectName}' is damaged: ${why}.`, {
    help: 'Restore another backup, and check the storage.',
    retriable: false,
    details: { objectName: part.objectName },
  });
}
