import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { backupJob } from '../../../src/backups/backupJob.js';
import type { Storage } from '../../../src/storage/storage.js';
import { mountSmallDisk, mountsMissing, type SmallDisk, type SmallDiskOptions } from '../../fixtures/smallDisk.js';
import { replacing } from '../../fixtures/workerHarness.js';
import { backupFault, nextBackup, type Expected } from '../backupTrial.js';
import type { FaultBench } from '../faultBench.js';
import { withFolder } from '../folderPlace.js';
import { restoreFault } from '../restoreTrial.js';
import type { Fault, Problem, Trial } from '../trial.js';

const tmpfs: SmallDiskOptions = { kind: 'TMPFS', sizeBytes: 24_000_000, inodes: 200 };
const ext4: SmallDiskOptions = { kind: 'EXT4', sizeBytes: 32_000_000 };
const workFolder: SmallDiskOptions = { kind: 'TMPFS', sizeBytes: 1_000_000, inodes: 40 };
const full: Expected = ['ENDPOINT_QUOTA'];
const pageBytes = 4096;

/** The moment of a backup at which somebody else uses up the disk. */
type Moment = { readonly atByte: number } | 'BEFORE_BACKUP_JSON';

type Filling = {
  /** The free space before the backup begins. `storedBytes` is the size of the backup. */
  readonly before?: (disk: SmallDisk, storedBytes: number) => Promise<void>;
  readonly moment?: Moment;
};

/** The moments are in the order of a backup. */
const byBytes: readonly (readonly [string, Filling])[] = [
  ['before the first byte', { before: (disk) => disk.fill() }],
  ['after one page', { before: (disk) => disk.fill(pageBytes) }],
  ['after a megabyte', { before: (disk) => disk.fill(1_000_000) }],
  ['in the middle', { before: (disk, bytes) => disk.fill(bytes / 2) }],
  ['at the last segment', { before: (disk, bytes) => disk.fill(bytes - 2 * pageBytes) }],
  ...[1, 1_000_000, 2_500_000, 4_000_000].map(
    (atByte) => [`because somebody fills it at byte ${atByte}`, { moment: { atByte } }] as const,
  ),
  ['because somebody fills it before backup.json', { moment: 'BEFORE_BACKUP_JSON' }],
];

/** The inodes of a backup: four folders, two names of the object, and two names of backup.json. */
const inodesOfBackup = 7;

export const fullDisks: readonly Fault[] = [
  ...byBytes.map(([when, filling]) => onFullDisk(`a folder's disk is full ${when}`, tmpfs, filling)),
  ...byBytes
    .filter(([when]) => !when.startsWith('because'))
    .map(([when, filling]) => onFullDisk(`a folder's disk (ext4) is full ${when}`, ext4, filling)),
  ...Array.from({ length: inodesOfBackup + 1 }, (_, left) =>
    onFullDisk(
      `a folder's disk takes ${left} more files`,
      tmpfs,
      { before: (disk) => disk.takeInodes(left) },
      left < inodesOfBackup ? full : ['SUCCEEDED'],
    ),
  ),
  ...[0, 1, 3, 5].map((left) =>
    inFullWorkFolder('backup', `takes ${left} more files`, (disk) => disk.takeInodes(left)),
  ),
  ...[0, 1, 4].map((left) => inFullWorkFolder('restore', `takes ${left} more files`, (disk) => disk.takeInodes(left))),
  inFullWorkFolder('backup', 'has no byte left', (disk) => disk.fill()),
  inFullWorkFolder('restore', 'has no byte left', (disk) => disk.fill()),
];

function onFullDisk(name: string, options: SmallDiskOptions, filling: Filling, expects = full): Fault {
  const group = 'Full disk';
  return {
    ...{ group, name, missing: mountsMissing },
    attempt: (bench) =>
      onSmallDisk(bench, options, async (disk, there) => {
        const met = { moment: filling.moment === undefined };
        const fill = async () => {
          met.moment = true;
          await disk.fill();
        };
        const fault = backupFault({
          ...{ group, name, expects },
          arm: async () => {
            await filling.before?.(disk, await storedBytesOf(bench));
            return { reached: () => met.moment };
          },
          worker: () => ({ wrapStorage: (storage) => fillingAt(storage, filling.moment, fill) }),
        });
        const trial = await fault.attempt(there);
        const problems: Problem[] = [...trial.problems];
        if (trial.end !== 'SUCCEEDED') {
          if (!trial.sentence.includes('no space left')) problems.push({ kind: 'MISREPORTED', what: trial.sentence });
          problems.push(...(await leftOn(disk, 'while it is full')));
        }
        await disk.free();
        problems.push(...(await nextBackup(there)));
        await bench.deleteBackups();
        problems.push(...(await leftOn(disk, 'once all is deleted')));
        return { ...trial, problems };
      }),
  };
}

/** The small disk holds the worker's temporary files (option files and pipes of a running job), not the storage. */
function inFullWorkFolder(job: 'backup' | 'restore', how: string, fill: (disk: SmallDisk) => Promise<void>): Fault {
  const group = 'Full disk';
  const name = `the worker's own folder ${how}: a ${job}`;
  // It does not matter which file has no room, or whether all files have room.
  const expects: Expected =
    how.includes(' 0 ') || how.includes('no byte') ? ['UNAVAILABLE'] : ['UNAVAILABLE', 'SUCCEEDED'];
  return {
    ...{ group, name, missing: mountsMissing },
    attempt: async (bench) => {
      const disk = await mountSmallDisk(join(bench.folder, 'work'), workFolder);
      try {
        const arm = async () => {
          await fill(disk);
          return { reached: () => true };
        };
        const worker = () => ({ workRoot: disk.folder });
        const fault =
          job === 'backup'
            ? backupFault({ group, name, expects, arm, worker })
            : restoreFault({ group, name, expects, touches: 'MAYBE', arm, worker });
        const trial = await fault.attempt(bench);
        const problems = [...trial.problems, ...(await leftOn(disk, 'of the worker'))];
        if (trial.end !== 'SUCCEEDED' && !trial.sentence.includes('no space left')) {
          problems.push({ kind: 'MISREPORTED', what: trial.sentence });
        }
        await disk.free();
        return { ...trial, problems: [...problems, ...(await nextBackup(bench))] };
      } finally {
        await disk.unmount();
      }
    },
  };
}

/** A new FILESYSTEM endpoint on a new disk. Both are removed afterwards. */
async function onSmallDisk(
  bench: FaultBench,
  options: SmallDiskOptions,
  attempt: (disk: SmallDisk, there: FaultBench) => Promise<Trial>,
): Promise<Trial> {
  const name = `disk-${randomUUID()}`;
  const disk = await mountSmallDisk(join(bench.harness.ground.root, name), options);
  try {
    return await withFolder(bench, `${name}/files`, (there) => attempt(disk, there));
  } finally {
    await disk.unmount();
  }
}

function fillingAt(storage: Storage, moment: Moment | undefined, fill: () => Promise<void>): Storage {
  if (moment === undefined) return storage;
  return replacing(storage, {
    put: (name, source, options) =>
      storage.put(name, moment === 'BEFORE_BACKUP_JSON' ? source : fillingAtByte(source, moment.atByte, fill), options),
    putBytes: async (name, bytes, options) => {
      if (moment === 'BEFORE_BACKUP_JSON' && name.endsWith('/backup.json')) await fill();
      return storage.putBytes(name, bytes, options);
    },
  });
}

async function* fillingAtByte(
  source: AsyncIterable<Uint8Array>,
  atByte: number,
  fill: () => Promise<void>,
): AsyncIterable<Uint8Array> {
  let passed = 0;
  for await (const chunk of source) {
    if (passed < atByte && passed + chunk.length >= atByte) {
      yield chunk.subarray(0, atByte - passed);
      await fill();
      yield chunk.subarray(atByte - passed);
    } else yield chunk;
    passed += chunk.length;
  }
}

/** Also lists folders, because an empty folder belongs to no backup. */
async function leftOn(disk: SmallDisk, when: string): Promise<readonly Problem[]> {
  const left = (await disk.entries()).filter((name) => name !== '.stowage.json');
  return left.length === 0
    ? []
    : [{ kind: 'ORPHAN', what: `${left.length} files or folders ${when}, such as ${left[0] ?? ''}` }];
}

async function storedBytesOf({ harness, cleanBackupId }: FaultBench): Promise<number> {
  const { state } = await harness.store.load(backupJob, cleanBackupId);
  if (state.status !== 'SUCCEEDED') throw new Error('The clean backup is none.');
  return state.result.storedSizeBytes;
}
