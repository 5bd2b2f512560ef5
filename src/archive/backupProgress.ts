import type { Inventory } from '../engines/inventory.js';
import type { StoredObject } from '../storage/storage.js';
import type { TakeBackup } from './archive.js';

export type BackupProgress = {
  readonly startPart: (readBytes: () => number) => void;
  readonly passed: (bytes: number) => void;
  readonly stored: (progress: { readonly storedBytes: number; readonly segments: number }) => void;
  readonly endPart: (stored: StoredObject) => void;
  /** Changes whenever a byte moves anywhere. */
  readonly position: () => number;
  /** Calls `onProgress`. */
  readonly report: () => void;
};

/**
 * Adds up the progress of all parts. The share refers to the previous dump. Without one, or if this dump is larger, it
 * refers to the server's own estimate of the data. It is an estimate, so it stops below 1.
 */
export function trackBackupProgress(
  { onProgress, previousBytes = null }: Pick<TakeBackup, 'onProgress' | 'previousBytes'>,
  { sizeBytes }: Pick<Inventory, 'sizeBytes'>,
): BackupProgress {
  const estimates = [previousBytes, sizeBytes].flatMap((each) => (each === null || each === 0 ? [] : [each]));
  let beganMs: number | undefined;
  const done = { readBytes: 0, storedBytes: 0, segments: 0 };
  let current = { storedBytes: 0, segments: 0 };
  let passedBytes = 0;
  let readBytes: () => number = () => 0;
  const report = () => {
    const read = done.readBytes + readBytes();
    const totalBytes = estimates.find((each) => each >= read);
    onProgress({
      readBytes: read,
      storedBytes: done.storedBytes + current.storedBytes,
      segments: done.segments + current.segments,
      share: estimates.length === 0 ? null : Math.min(0.99, read / (totalBytes ?? read)),
      work:
        totalBytes === undefined || beganMs === undefined
          ? null
          : { doneBytes: read, totalBytes, elapsedMs: performance.now() - beganMs },
    });
  };
  return {
    startPart: (reader) => {
      beganMs ??= performance.now();
      readBytes = reader;
    },
    passed: (bytes) => {
      passedBytes += bytes;
    },
    stored: ({ storedBytes, segments }) => {
      current = { storedBytes, segments };
    },
    endPart: (stored) => {
      done.readBytes += readBytes();
      done.storedBytes += stored.sizeBytes;
      done.segments += stored.segments.length;
      current = { storedBytes: 0, segments: 0 };
      readBytes = () => 0;
      report();
    },
    position: () => done.readBytes + readBytes() + passedBytes + done.storedBytes + current.storedBytes,
    report,
  };
}
