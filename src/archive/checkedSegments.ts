import { StowageError } from '../errors.js';
import { SegmentCheck } from '../storage/segments/segmentCheck.js';
import type { Storage } from '../storage/storage.js';
import type { ArchivePart } from './archive.js';
import { readAhead } from './readAhead.js';

/**
 * The bytes that are fetched while the consumer handles the segment before. Otherwise a restore tool would wait for the
 * storage at the end of each segment.
 */
const aheadBytes = 16 * 1024 * 1024;

/**
 * Reads a part's stored bytes and yields them segment by segment, each after the SHA-256 of all bytes up to its end was
 * compared. At most one segment (32 MiB) and `aheadBytes` are in memory. A consumer may remove the chunks that it has
 * handled from a segment. Throws CHECKSUM naming the segment, before any byte of it is yielded.
 */
export async function* checkedSegments(
  storage: Storage,
  part: ArchivePart,
  options: { readonly signal: AbortSignal; readonly onBytes: (bytes: number) => void },
): AsyncGenerator<Uint8Array[]> {
  const check = new SegmentCheck({ segments: part.segments, sha256: part.checksum });
  let held: Uint8Array[] = [];

  const stored = storage.get(part.objectName, { signal: options.signal, etag: part.etag });
  for await (const chunk of readAhead(stored, aheadBytes)) {
    options.onBytes(chunk.length);
    for (let at = 0; at < chunk.length;) {
      const piece = chunk.subarray(at, at + check.missingBytes);
      if (piece.length === 0) throw damaged(part, 'it is longer than the stored object');
      at += piece.length;
      held.push(piece);
      const number = check.index + 1;
      const verdict = check.add(piece);
      if (verdict === 'INCOMPLETE') continue;
      if (verdict === 'DIFFERENT') {
        throw damaged(part, `segment ${number} of ${part.segments.length} differs from the stored bytes`);
      }
      yield held;
      held = [];
    }
  }
  if (check.missingBytes > 0) throw damaged(part, 'it is shorter than the stored object');
  if (!check.isWhole()) throw damaged(part, 'its checksum differs from that of the stored object');
}

function damaged(part: ArchivePart, why: string): StowageError {
  return new StowageError('CHECKSUM', `The stored object '${part.objectName}' is damaged: ${why}.`, {
    help: 'Restore another backup, and check the storage.',
    retriable: false,
    details: { objectName: part.objectName },
  });
}
