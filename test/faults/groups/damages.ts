import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { rename, stat, symlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { decideDeletion } from '../../../src/backups/backupJobCommands.js';
import { findAudits } from '../../../src/endpoints/containerAudit.js';
import { until } from '../../fixtures/until.js';
import { endOf, queueFaultyBackup, type Expected } from '../backupTrial.js';
import { folderOf, type FaultBench } from '../faultBench.js';
import { withFolder } from '../folderPlace.js';
import type { ForeignHand, ManifestEntry, SwiftHand } from '../foreignHand.js';
import { tryRestore } from '../restoreTrial.js';
import type { Fault, Problem, Trial } from '../trial.js';

/** Access to the place of a backup without Stowage. */
type Wreck = {
  readonly hand: ForeignHand;
  readonly swiftHand: SwiftHand;
  /** The folder on this machine, for FOLDER endpoints. */
  readonly path: string;
  readonly folder: string;
  readonly object: string;
  readonly document: string;
  /** Only for Swift: the folder of another backup of the same database. */
  readonly other: { readonly folder: string; readonly object: string };
};

type Damage = {
  readonly name: string;
  readonly expects: Expected;
  /** The expected result of the audit. Default: the backup is there, because the audit reads no data. */
  readonly audit?: 'MISSING' | 'STORED' | 'NOTHING';
  readonly harm: (wreck: Wreck) => Promise<void>;
  readonly mend?: (wreck: Wreck) => Promise<void>;
};

const damaged: Expected = ['CHECKSUM'];
const notFound: Expected = ['ENDPOINT_NOT_FOUND'];
const harmless: Expected = ['SUCCEEDED'];
const marker = '.stowage.json';

/** Damages for folders and for containers. */
const everywhere: readonly Damage[] = [
  {
    ...{ name: 'the object is deleted', expects: notFound, audit: 'MISSING' },
    harm: ({ hand, object }) => hand.remove(object),
  },
  ...rewritten('MISSING', [
    ['is emptied', () => Buffer.alloc(0)],
    ['lacks its last byte', (bytes) => bytes.subarray(0, -1)],
    ['is cut in the middle', (bytes) => bytes.subarray(0, bytes.length / 2)],
    ['has a byte more', (bytes) => Buffer.concat([bytes, Buffer.from('x')])],
  ]),
  ...rewritten('STORED', [
    ['holds other bytes of the same length', (bytes) => randomBytes(bytes.length)],
    ['has its first bit flipped', (bytes) => flipped(bytes, 0)],
    ['has its last bit flipped', (bytes) => flipped(bytes, bytes.length - 1)],
    ['has two parts swapped', (bytes) => Buffer.concat([bytes.subarray(1_000_000), bytes.subarray(0, 1_000_000)])],
  ]),
  {
    ...{ name: 'backup.json is deleted', expects: notFound, audit: 'MISSING' },
    harm: ({ hand, document }) => hand.remove(document),
  },
  {
    ...{ name: 'backup.json is that of another backup', expects: damaged },
    harm: async ({ hand, swiftHand, document, other }) =>
      hand.put(document, await swiftHand.bytes(`${other.folder}backup.json`)),
  },
  ...documented(damaged, [
    ['is no JSON', () => '{'],
    ['is cut in the middle', (text) => text.slice(0, text.length / 2)],
    ['has another checksum', (text) => text.replace(/("checksum": ")[0-9a-f]{8}/, '$100000000')],
    ['has another checksum of a segment', (text) => text.replace(/("sha256": ")[0-9a-f]{8}/, '$100000000')],
    ['has another size of a segment', (text) => text.replace(/("segments": \[\s*\{\s*"sizeBytes": )\d+/, '$11000')],
    ['says another size', (text) => text.replace(/("storedSizeBytes": )\d+/, '$11')],
    ['names another object', (text) => text.replaceAll('databases.sql.zst', 'another.sql.zst')],
    ['names no segments', (text) => text.replace(/"segments": \[[^\]]*\]/, '"segments": []')],
    ['has a future format', (text) => text.replace('"formatVersion": 5', '"formatVersion": 99')],
  ]),
  {
    ...{ name: 'backup.json is emptied', expects: damaged, audit: 'MISSING' },
    harm: ({ hand, document }) => hand.put(document, Buffer.alloc(0)),
  },
  ...documented(harmless, [
    ['has other row counts', (text) => text.replaceAll(/"rows": \d+/g, '"rows": 7')],
    ['has another command for the shell', (text) => text.replaceAll('zstd -d', 'rm -rf')],
  ]),
  {
    ...{ name: 'all of it is deleted', expects: notFound, audit: 'MISSING' },
    harm: async ({ hand, folder }) => {
      for (const { name } of await hand.list(folder)) await hand.remove(name);
    },
  },
];

/** Every byte of a restore is compared with the log, regardless of the marker. */
const marks: readonly Damage[] = [
  {
    ...{ name: 'the marker is removed', expects: harmless },
    harm: ({ hand }) => hand.remove(marker),
  },
  {
    ...{ name: "the marker is another installation's", expects: harmless },
    harm: ({ hand }) => hand.put(marker, Buffer.from(`{"format":1,"installation":"${randomUUID()}"}`)),
  },
];

const inSwift: readonly Damage[] = [
  ...[1, 5, 10].flatMap((number) => [
    ofSegment(number, 'is deleted', 'MISSING', (hand, name) => hand.remove(name)),
    ofSegment(number, 'is cut in the middle', 'MISSING', async (hand, name) => {
      const bytes = await hand.bytes(name);
      await hand.put(name, bytes.subarray(0, bytes.length / 2));
    }),
    ofSegment(number, 'is emptied', 'MISSING', (hand, name) => hand.put(name, Buffer.alloc(0))),
    ofSegment(number, 'holds other bytes of the same length', 'STORED', async (hand, name) =>
      hand.put(name, randomBytes((await hand.bytes(name)).length)),
    ),
  ]),
  {
    ...{ name: 'two segments are swapped', expects: damaged },
    harm: async ({ hand, folder }) => {
      const [one, two] = [segmentOf(folder, 3), segmentOf(folder, 4)];
      const [first, second] = [await hand.bytes(one), await hand.bytes(two)];
      await hand.put(one, second);
      await hand.put(two, first);
    },
  },
  ...manifested('STORED', damaged, [
    ['names its segments in reverse order', (entries) => [...entries].reverse()],
    ['names two segments in the place of each other', ([first, second, ...rest]) => present([second, first, ...rest])],
    ['names one segment twice and omits another', ([first, , ...rest]) => present([first, first, ...rest])],
  ]),
  ...manifested('MISSING', damaged, [
    ['lacks the last segment', (entries) => entries.slice(0, -1)],
    ['lacks the first segment', (entries) => entries.slice(1)],
    ['names one more segment', (entries) => [...entries, ...entries.slice(0, 1)]],
  ]),
  ...manifested('STORED', harmless, [['is written again unchanged', (entries) => entries]]),
  {
    ...{ name: "the manifest is another backup's", expects: damaged, audit: 'NOTHING' },
    harm: async ({ swiftHand, object, other }) => swiftHand.putManifest(object, await swiftHand.manifest(other.object)),
  },
];

const inFolder: readonly Damage[] = [
  ...[0, 2_000_000].map((at): Damage => ({
    ...{ name: `the object has a flipped bit at byte ${at}, and its old time`, expects: damaged },
    harm: async ({ hand, path, object }) => {
      const { atime, mtime } = await stat(join(path, object));
      await hand.put(object, flipped(await hand.bytes(object), at));
      await utimes(join(path, object), atime, mtime);
    },
  })),
  {
    ...{ name: 'the object is a named pipe', expects: damaged, audit: 'MISSING' },
    harm: async ({ hand, path, object }) => {
      await hand.remove(object);
      await promisify(execFile)('mkfifo', [join(path, object)]);
    },
  },
  {
    ...{ name: 'the object is a symbolic link to itself elsewhere', expects: ['ENDPOINT_FORBIDDEN'], audit: 'MISSING' },
    harm: async ({ path, object }) => {
      await rename(join(path, object), join(path, 'elsewhere'));
      await symlink(join(path, 'elsewhere'), join(path, object));
    },
    mend: ({ hand }) => hand.remove('elsewhere'),
  },
];

/** Damages of a stored backup. A restore must detect them before it touches the target. */
export const damages: readonly Fault[] = [
  ...[...everywhere, ...inSwift, ...marks].map((damage) =>
    damageFault('Damage in Swift', damage, (bench) => tryDamage(bench, '', damage)),
  ),
  ...[...everywhere, ...inFolder, ...marks].map((damage) =>
    damageFault('Damage in a folder', damage, (bench) => {
      const name = `damage-${randomUUID()}`;
      return withFolder(bench, name, (there) => tryDamage(there, join(bench.harness.ground.root, name), damage));
    }),
  ),
];

function damageFault(group: string, { name }: Damage, attempt: Fault['attempt']): Fault {
  return { group, name, attempt };
}

/** Takes a new backup, damages it, restores it, audits it and deletes it. */
async function tryDamage(
  bench: FaultBench,
  path: string,
  { expects, audit = 'STORED', harm, mend }: Damage,
): Promise<Trial> {
  const { harness, hand, swiftHand, cleanBackupId } = bench;
  const jobId = await takeBackup(bench);
  const folder = await folderOf(harness, jobId);
  const other = await folderOf(harness, cleanBackupId);
  const wreck: Wreck = {
    ...{ hand, swiftHand, path, folder },
    ...{ object: `${folder}databases.sql.zst`, document: `${folder}backup.json` },
    other: { folder: other, object: `${other}databases.sql.zst` },
  };
  const mark = await hand.bytes(marker);
  const others = await swiftHand.list(other);
  await harm(wreck);
  const touches = expects === harmless ? 'MAYBE' : 'NOTHING';
  const trial = await tryRestore(bench, jobId, { expects, touches, arm: () => ({ reached: () => true }) });
  const problems: Problem[] = [...trial.problems];
  const isOurs = mark.equals(await hand.bytes(marker).catch(() => Buffer.alloc(0)));
  if (isOurs) problems.push(...(await afterAudits(bench, jobId, audit)));
  else await hand.put(marker, mark);
  await mend?.(wreck);
  problems.push(...(await deleteDamaged(bench, jobId)));
  if ((await swiftHand.list(other)).length < others.length) {
    problems.push({
      kind: 'MISREPORTED',
      what: 'the deletion of the damaged backup deleted objects of another backup',
    });
  }
  const [left] = await hand.list(folder);
  if (left !== undefined) problems.push({ kind: 'ORPHAN', what: `${left.name} is left of the damaged backup` });
  return { ...trial, problems };
}

async function takeBackup(bench: FaultBench): Promise<string> {
  const worker = await bench.startWorker();
  const jobId = await queueFaultyBackup(bench, { maxAttempts: 3 });
  const ended = await endOf(bench, jobId);
  await worker.stop();
  if (ended?.status !== 'SUCCEEDED') throw new Error(`The backup for the damage is ${ended?.status ?? 'not ended'}.`);
  return jobId;
}

/** The result of the audits. The second check of a missing backup follows an hour later, simulated by a clock that is ahead. */
async function afterAudits(
  bench: FaultBench,
  jobId: string,
  expected: 'MISSING' | 'STORED' | 'NOTHING',
): Promise<readonly Problem[]> {
  if (expected === 'NOTHING') return [];
  const { harness } = bench;
  const clock = { aheadMs: 0 };
  const auditor = await bench.startWorker({
    ...{ engines: new Map(), times: { audit: 200 } },
    now: () => new Date(Date.now() + clock.aheadMs),
  });
  const has = async (id: string, type: string) => (await harness.eventsOf(id)).some((event) => event.type === type);
  const isAudited = audits(bench, 3);
  const isSeen = expected === 'MISSING' ? () => has(jobId, 'BackupAbsent') : isAudited;
  const problems: Problem[] = [];
  try {
    await until(isSeen, 'the audit has ended', 60_000);
    clock.aheadMs = 3_700_000;
    if (expected === 'MISSING') await until(() => has(jobId, 'BackupMissing'), 'the backup is missing', 60_000);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    problems.push({ kind: 'MISREPORTED', what: `the audit does not report that it is ${expected}: ${why}` });
  } finally {
    await auditor.stop();
  }
  if (expected === 'STORED' && (await has(jobId, 'BackupAbsent'))) {
    problems.push({ kind: 'MISREPORTED', what: 'the audit reported an existing backup as missing' });
  }
  if (await has(bench.cleanBackupId, 'BackupAbsent')) {
    problems.push({ kind: 'MISREPORTED', what: 'the audit reported an unchanged backup as missing' });
  }
  return problems;
}

/** Whether this many audits have ended since the first call. */
function audits({ harness, fileEndpointId }: FaultBench, count: number): () => Promise<boolean> {
  const seen = new Set<string>();
  return async () => {
    const [record] = await findAudits(harness.dataSource.manager, [fileEndpointId]);
    const at = record?.result?.at;
    if (at !== undefined) seen.add(at);
    return seen.size > count;
  };
}

/** Deletes the backup as its owner would. */
async function deleteDamaged(bench: FaultBench, jobId: string): Promise<readonly Problem[]> {
  const { harness } = bench;
  const job = { id: jobId, projectId: harness.projectId };
  await harness.transact((tx) => decideDeletion(tx, job, { reason: 'BY_HAND', by: 'test', at: new Date() }));
  const worker = await bench.startWorker();
  try {
    await harness.until(jobId, 'BackupDeleted', 60_000);
    return [];
  } catch (error) {
    return [{ kind: 'STUCK', what: error instanceof Error ? error.message : String(error) }];
  } finally {
    await worker.stop();
  }
}

function rewritten(
  audit: 'MISSING' | 'STORED',
  changes: readonly (readonly [string, (bytes: Buffer) => Buffer])[],
): readonly Damage[] {
  return changes.map(([how, change]) => ({
    ...{ name: `the object ${how}`, expects: damaged, audit },
    harm: async ({ hand, object }) => hand.put(object, change(await hand.bytes(object))),
  }));
}

function documented(
  expects: Expected,
  changes: readonly (readonly [string, (text: string) => string])[],
): readonly Damage[] {
  return changes.map(([how, change]) => ({
    ...{ name: `backup.json ${how}`, expects },
    harm: async ({ hand, document }) => {
      const before = (await hand.bytes(document)).toString('utf8');
      const after = change(before);
      if (after === before) throw new Error('backup.json was not changed.');
      await hand.put(document, Buffer.from(after));
    },
  }));
}

function manifested(
  audit: 'MISSING' | 'STORED',
  expects: Expected,
  changes: readonly (readonly [string, (entries: readonly ManifestEntry[]) => readonly ManifestEntry[]])[],
): readonly Damage[] {
  return changes.map(([how, change]) => ({
    ...{ name: `the manifest ${how}`, expects, audit },
    harm: async ({ swiftHand, object }) => swiftHand.putManifest(object, change(await swiftHand.manifest(object))),
  }));
}

function ofSegment(
  number: number,
  how: string,
  audit: 'MISSING' | 'STORED',
  harm: (hand: ForeignHand, name: string) => Promise<void>,
): Damage {
  return {
    ...{ name: `segment ${number} ${how}`, expects: damaged, audit },
    harm: ({ hand, folder }) => harm(hand, segmentOf(folder, number)),
  };
}

function segmentOf(folder: string, number: number): string {
  return `${folder}segments/databases/${String(number).padStart(8, '0')}`;
}

function present<T>(entries: readonly (T | undefined)[]): readonly T[] {
  return entries.filter((entry) => entry !== undefined);
}

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}
