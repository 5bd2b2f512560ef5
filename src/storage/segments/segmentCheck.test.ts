import { createHash } from 'node:crypto';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import '../../../test/fixtures/propertySeed.js';
import type { StoredObject } from '../storage.js';
import { SegmentCheck } from './segmentCheck.js';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

type Recorded = Pick<StoredObject, 'segments' | 'sha256'>;

/** The checksums that this version, and versions before it, record for an object of these segments. */
const records: Readonly<Record<string, (pieces: readonly Buffer[]) => Recorded>> = {
  'from the start': (pieces) => ({
    sha256: sha256(Buffer.concat(pieces)),
    segments: pieces.map(({ length: sizeBytes }, index) => ({
      sizeBytes,
      sha256FromStart: sha256(Buffer.concat(pieces.slice(0, index + 1))),
    })),
  }),
  'of each segment alone': (pieces) => ({
    sha256: sha256(Buffer.concat(pieces)),
    segments: pieces.map((piece) => ({ sizeBytes: piece.length, sha256: sha256(piece) })),
  }),
};

/** The number of segments that were the same, until the first difference. */
function check(recorded: Recorded, bytes: Buffer, chunkBytes: number): { same: number; whole: boolean } {
  const checking = new SegmentCheck(recorded);
  let same = 0;
  for (let at = 0; at < bytes.length;) {
    const piece = bytes.subarray(at, Math.min(at + chunkBytes, at + checking.missingBytes));
    if (piece.length === 0) return { same, whole: false };
    at += piece.length;
    const verdict = checking.add(piece);
    if (verdict === 'DIFFERENT') return { same, whole: false };
    if (verdict === 'SAME') same += 1;
  }
  return { same, whole: checking.isWhole() };
}

const pieces = fc.array(
  fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  { maxLength: 6 },
);
const chunk = fc.integer({ min: 1, max: 50 });

for (const [kind, record] of Object.entries(records)) {
  test(`checksums ${kind} accept the same bytes, in chunks of any size`, () => {
    fc.assert(
      fc.property(pieces, chunk, (all, chunkBytes) => {
        expect(check(record(all), Buffer.concat(all), chunkBytes)).toEqual({ same: all.length, whole: true });
      }),
    );
  });

  test(`checksums ${kind} find every changed byte in its segment, and bytes that are missing or too many`, () => {
    fc.assert(
      fc.property(pieces, chunk, fc.nat(), fc.integer({ min: 1, max: 255 }), (all, chunkBytes, where, bits) => {
        const bytes = Buffer.concat(all);
        const recorded = record(all);
        expect(check(recorded, Buffer.concat([bytes, Buffer.from([bits])]), chunkBytes).whole).toBe(false);
        if (bytes.length === 0) return;
        expect(check(recorded, bytes.subarray(0, where % bytes.length), chunkBytes).whole).toBe(false);
        const changed = Buffer.from(bytes);
        const at = where % bytes.length;
        changed[at] = (changed[at] ?? 0) ^ bits;
        const ends = all.map((_, index) => Buffer.concat(all.slice(0, index + 1)).length);
        const damaged = ends.findIndex((end) => at < end);
        expect(check(recorded, changed, chunkBytes)).toEqual({ same: damaged, whole: false });
      }),
    );
  });
}

test('a whole checksum that belongs to other bytes is found, although every segment is the same', () => {
  const { segments } = records['of each segment alone']?.([Buffer.from('one'), Buffer.from('two')]) ?? { segments: [] };
  const other = { segments, sha256: sha256(Buffer.from('other')) };
  expect(check(other, Buffer.from('onetwo'), 6)).toEqual({ same: 2, whole: false });
});
