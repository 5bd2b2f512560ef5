import { describe, expect, test } from '@jest/globals';
import type { ArchiveProgress } from './archive.js';
import { trackBackupProgress } from './backupProgress.js';
import { trackRestoreProgress } from './restoreProgress.js';

function trackBackup(previousBytes: number | null, sizeBytes: number | null) {
  const shown: ArchiveProgress[] = [];
  const progress = trackBackupProgress({ onProgress: (each) => shown.push(each), previousBytes }, { sizeBytes });
  return (readBytes: number) => {
    progress.startPart(() => readBytes);
    progress.report();
    return shown.at(-1);
  };
}

describe('The progress of a backup', () => {
  test('refers to the previous dump, which differs from what the server estimates', () => {
    expect(trackBackup(200, 1_000)(100)).toMatchObject({ share: 0.5, work: { doneBytes: 100, totalBytes: 200 } });
  });

  test('refers to the estimate of the server for a first dump, and for one that has become larger', () => {
    expect(trackBackup(null, 1_000)(100)).toMatchObject({ share: 0.1, work: { totalBytes: 1_000 } });
    expect(trackBackup(200, 1_000)(300)).toMatchObject({ share: 0.3, work: { totalBytes: 1_000 } });
  });

  test('shows no end if the dump is larger than every estimate, or nothing is known', () => {
    expect(trackBackup(200, 250)(300)).toMatchObject({ share: 0.99, work: null });
    expect(trackBackup(null, null)(300)).toMatchObject({ share: null, work: null });
  });
});

describe('The progress of a restore', () => {
  test('shows an end only when the restore itself runs', () => {
    const shown: ArchiveProgress[] = [];
    const part = { storedSizeBytes: 100 } as Parameters<typeof trackRestoreProgress>[1][number];
    const progress = trackRestoreProgress({ onProgress: (each) => shown.push(each) }, [part]);
    progress.fetched(100);
    progress.report();
    progress.startPart(() => 0);
    progress.restored(25);
    progress.report();
    expect(shown).toMatchObject([
      { share: 0.5, work: null },
      { share: 0.625, work: { doneBytes: 25, totalBytes: 100 } },
    ]);
  });
});
