import { join } from 'node:path';
import { createMariadbEngine } from '../../../src/engines/mariadb/mariadbEngine.js';
import type { FaultRule } from '../../fixtures/servers/faultProxy.js';
import { faultyTool } from '../../fixtures/faultyTools.js';
import { createSwiftDriver } from '../../../src/storage/swift/swiftDriver.js';
import { mountSmallDisk, mountsMissing, type SmallDisk, type SmallDiskOptions } from '../../fixtures/smallDisk.js';
import { backupFault, nextBackup, type BackupFault } from '../backupTrial.js';
import { impatient } from '../impatient.js';
import { withSwift } from '../swiftPlace.js';
import { leftAfterDeleting } from '../tryFaults.js';
import type { Fault, Problem } from '../trial.js';

const tmpfs: SmallDiskOptions = { kind: 'TMPFS', sizeBytes: 24_000_000, inodes: 600 };
const ext4: SmallDiskOptions = { kind: 'EXT4', sizeBytes: 32_000_000, inodes: 1_000 };

type Request = Pick<FaultRule, 'method' | 'path'>;
const segment = (number: number): Request => ({
  method: 'PUT',
  path: new RegExp(`/segments/databases/${String(number).padStart(8, '0')}$`),
});
const manifest: Request = { method: 'PUT', path: /multipart-manifest=put/ };
const document: Request = { method: 'PUT', path: /\/backup\.json$/ };

type Case = Pick<BackupFault, 'expects' | 'worker'> & {
  readonly name: string;
  readonly disk?: SmallDiskOptions;
  /** The server whose data is on the small disk: the object server, or the servers that list. */
  readonly of?: 'OBJECTS' | 'LISTINGS';
  /** The disk is filled before this object is stored. Undefined: before the backup begins. */
  readonly at?: Request;
  readonly fill?: (disk: SmallDisk) => Promise<void>;
};

const noBytes = (disk: SmallDisk) => disk.fill();
/** A deletion writes too: an empty file that marks the object as deleted. */
const nothingAtAll = async (disk: SmallDisk) => {
  await disk.takeInodes();
  await disk.fill();
};
const unreachable = ['ENDPOINT_UNREACHABLE'];
/** A server that has lost its disk answers late. The timeout is long, because the test is about the answer. */
const patient = { swift: createSwiftDriver({ ...impatient, headersTimeoutMs: 15_000 }) };
const failingDump: BackupFault['worker'] = async ({ folder }) => ({
  ...patient,
  engine: createMariadbEngine({
    tools: { folders: [await faultyTool('mariadb-dump', '"$real" "$@"; exit 3', folder)] },
  }),
});

const cases: readonly Case[] = [
  { name: 'before the backup', expects: unreachable },
  { name: 'with room for some segments', expects: unreachable, fill: (disk) => disk.fill(1_500_000) },
  { name: 'at the first segment', expects: unreachable, at: segment(1) },
  { name: 'in the middle', expects: unreachable, at: segment(5) },
  { name: 'at the manifest', expects: unreachable, at: manifest },
  { name: 'at backup.json', expects: unreachable, at: document },
  { name: 'in the middle (ext4)', expects: unreachable, at: segment(5), disk: ext4 },
  { name: 'at the manifest (ext4)', expects: unreachable, at: manifest, disk: ext4 },
  ...[segment(5), manifest, document].map((at, index) => ({
    ...{ name: `and cannot even delete, from ${['the middle', 'the manifest', 'backup.json'][index] ?? ''} on` },
    ...{ expects: unreachable, at, fill: nothingAtAll },
  })),
];

/** Swift accepts objects that it cannot list yet, and lists them when there is room. */
const unlisted: readonly Case[] = [
  { name: 'in the middle, of a backup', expects: ['SUCCEEDED', ...unreachable], at: segment(5) },
  { name: 'at backup.json, of a backup', expects: ['SUCCEEDED', ...unreachable], at: document },
  {
    name: 'in the middle, of a backup whose dump fails',
    expects: ['TOOL_FAILED'],
    at: segment(5),
    worker: failingDump,
  },
].map((each) => ({ ...each, of: 'LISTINGS' as const, fill: nothingAtAll }));

/** Full disks of a real Swift. */
export const fullSwift: readonly Fault[] = [
  ...cases.map((each) => onFullDisk(`the object server's disk is full ${each.name}`, each)),
  ...unlisted.map((each) => onFullDisk(`the container server's disk is full ${each.name}`, each)),
];

function onFullDisk(name: string, { disk: options = tmpfs, of = 'OBJECTS', at, ...fault }: Case): Fault {
  const group = 'Full disk of Swift';
  const { fill = noBytes, expects, worker } = fault;
  return {
    ...{ group, name, missing: mountsMissing },
    attempt: async (bench) => {
      const disk = await mountSmallDisk(join(bench.folder, 'swift'), options);
      const swift = {
        ...(of === 'OBJECTS'
          ? { objects: disk.folder }
          : { data: disk.folder, objects: join(bench.folder, 'objects') }),
        ...{ suppressionSeconds: 1, objectUpdater: true },
      };
      try {
        return await withSwift(bench, swift, async (there) => {
          const backup = backupFault({
            ...{ group, name, expects },
            worker: worker ?? (() => patient),
            arm: async ({ storageLine }) => {
              const disarm = () => disk.free();
              if (at === undefined) {
                await fill(disk);
                return { reached: () => true, disarm };
              }
              const act = () => fill(disk);
              const injected = storageLine.inject({ ...at, fault: { kind: 'call', when: 'BEFORE', act } });
              return { reached: () => injected.hits > 0, disarm };
            },
          });
          const trial = await backup.attempt(there);
          const problems: Problem[] = [...trial.problems];
          if (
            trial.end === 'FAILED ENDPOINT_UNREACHABLE' &&
            !/disks are full|ended the connection/.test(trial.sentence)
          ) {
            problems.push({ kind: 'MISREPORTED', what: trial.sentence });
          }
          problems.push(...(await nextBackup(there)), ...(await leftAfterDeleting(there)));
          return { ...trial, problems };
        });
      } finally {
        await disk.unmount();
      }
    },
  };
}
