import type { ArchivePart, RestoreBackup } from './archive.js';

export type RestoreProgress = {
  readonly startPart: (writtenBytes: () => number) => void;
  readonly fetched: (bytes: number) => void;
  readonly restored: (bytes: number) => void;
  readonly segment: () => void;
  /** Changes whenever a byte moves anywhere. */
  readonly position: () => number;
  /** Calls `onProgress`. */
  readonly report: () => void;
};

/** The check is the first half of the share, and the restore is the second half. */
export function trackRestoreProgress(
  { onProgress }: Pick<RestoreBackup, 'onProgress'>,
  parts: readonly ArchivePart[],
): RestoreProgress {
  const totalBytes = parts.reduce((sum, part) => sum + part.storedSizeBytes, 0);
  let fetchedBytes = 0;
  let restoredBytes = 0;
  let segments = 0;
  let writtenBytes: () => number = () => 0;
  let beganMs: number | undefined;
  return {
    startPart: (reader) => {
      beganMs ??= performance.now();
      writtenBytes = reader;
    },
    fetched: (bytes) => {
      fetchedBytes += bytes;
    },
    restored: (bytes) => {
      restoredBytes += bytes;
    },
    segment: () => {
      segments += 1;
    },
    position: () => fetchedBytes + restoredBytes + writtenBytes(),
    report: () => {
      const share = totalBytes === 0 ? null : (fetchedBytes + restoredBytes) / (2 * totalBytes);
      // The check runs at the speed of the storage, so it shows nothing about the time of the restore.
      const work =
        beganMs === undefined ? null : { doneBytes: restoredBytes, totalBytes, elapsedMs: performance.now() - beganMs };
      onProgress({ readBytes: fetchedBytes, storedBytes: restoredBytes, segments, share, work });
    },
  };
}
