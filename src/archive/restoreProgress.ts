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
  return {
    startPart: (reader) => {
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
      onProgress({ readBytes: fetchedBytes, storedBytes: restoredBytes, segments, share });
    },
  };
}
