/**
 * Measures backups and restores of one engine, compared with the tools that a person would type. They take turns in one run,
 * so that a busy machine affects all in the same way. The result is the ratios: more than 1 is faster than the tools. The
 * processor seconds are those of our process and all tools, without the servers.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import type { TakenBackup } from '../src/archive/archive.js';
import { restoreBackup } from '../src/archive/restoreBackup.js';
import { takeBackup } from '../src/archive/takeBackup.js';
import { findProgram } from '../src/engines/process/programs.js';
import { Secret } from '../src/secret.js';
import { filesystemDriver } from '../src/storage/filesystem/filesystemDriver.js';
import type { Storage } from '../src/storage/storage.js';
import { swiftDriver } from '../src/storage/swift/swiftDriver.js';
import { startSwift } from '../test/fixtures/servers/swift.js';
import { brief } from './brief.js';
import { engineNames, startBenchEngine, type BenchEngine, type BenchEngineName } from './engines/benchEngine.js';
import { processorSecondsOf } from './pipeline/processUse.js';

const usage = `node --import @swc-node/register/esm-register bench/engines.ts [options]

  --engine NAME  mariadb, mysql, postgresql or mongodb (default mariadb)
  --gib N        the approximate size of the dump (default 1)
  --tables N     instead: N tables of ten rows
  --rounds N     how often each one runs (default 3)
  --no-swift     only into a folder
  --brief        only shows that it works
  --help         print this help

Needs the servers and tools of the engine, zstd, and for Swift python3-swift. The rows of swift and rclone need those
programs.`;

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'mariadb' },
    gib: { type: 'string', default: brief ? '0.002' : '1' },
    tables: { type: 'string' },
    rounds: { type: 'string', default: brief ? '1' : '3' },
    'no-swift': { type: 'boolean', default: false },
    brief: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

type Run = { readonly seconds: number; readonly processor: number };
type Line = Run & { readonly round: number; readonly name: string; readonly beside: string | undefined };

const signal = new AbortController().signal;
const description = {
  ...{ installationId: 'bench', projectId: 'bench', serviceId: 'bench', serviceName: 'bench', planId: null },
  ...{ jobId: 'bench', batchId: 'bench', attempt: 1, trigger: 'MANUAL', startedAt: new Date().toISOString() },
} as const;
const bareDump = 'tool | zstd -3 > file';
const bareRestore = 'tool < file';

const name = engineNames.find((each) => each === values.engine);
if (values.help) console.log(usage);
else if (name === undefined) throw new Error(`--engine is one of ${engineNames.join(', ')}.`);
else await bench(name, Number(values.rounds));

async function bench(engineName: BenchEngineName, rounds: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'stowage-bench-'));
  const closing: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
  try {
    const on = await startBenchEngine[engineName](folder);
    closing.unshift(
      () => on.engine.close(),
      () => on.stop(),
    );
    if (values.tables === undefined) await on.fillOrders(Number(values.gib));
    else await on.makeTables(Number(values.tables));
    const swift = values['no-swift'] ? undefined : await startSwift();
    if (swift !== undefined) closing.unshift(() => swift.stop());
    const lines: Line[] = [];
    // The first backup loads code and fills caches, and counts for nothing.
    for (let round = 0; round <= rounds; round += 1) {
      const found = await oneRound(on, folder, swift?.url, round);
      if (round > 0 || brief) lines.push(...found);
    }
    print(engineName, lines);
  } finally {
    for (const close of closing) await close();
  }
}

async function oneRound(
  on: BenchEngine,
  folder: string,
  swiftUrl: string | undefined,
  round: number,
): Promise<readonly Line[]> {
  const lines: Line[] = [];
  const add = (name: string, run: Run, beside?: string) => lines.push({ round, name, beside, ...run });
  const [plain, packed] = [join(folder, 'plain'), join(folder, 'packed')];

  add(bareDump, await shell(`${on.dumpCommand} | zstd -3 -q -f -o ${packed}`));
  const files = filesystemDriver.open({ root: folder, path: 'backups' });
  const taken = await backUp(on, files, folder, add, { where: 'folder', beside: bareDump });

  await shell(`zstd -dcq ${packed} > ${plain}`);
  add(bareRestore, await shell(`${on.restoreCommand} < ${plain}`));
  await on.clearTarget();
  await restore(on, files, taken, folder, add);
  await on.clearTarget();
  await rm(join(folder, 'backups'), { recursive: true });
  await files.close();

  if (swiftUrl === undefined) return lines;
  const uploads = uploadsTo(swiftUrl);
  for (const { name, command } of uploads) add(name, await shell(`${on.dumpCommand} | zstd -3 -q -T0 | ${command}`));
  const fastest = lines.filter((line) => uploads.some((upload) => upload.name === line.name));
  const [best] = fastest.toSorted((one, other) => one.seconds - other.seconds);
  const container = openSwift(swiftUrl, 'bench');
  await backUp(on, container, folder, add, { where: 'Swift', beside: best?.name ?? bareDump });
  const uploaded = uploads.flatMap(({ program }) => [program, `${program}_segments`]);
  for (const used of ['bench', ...uploaded]) await empty(swiftUrl, used);
  await container.close();
  return lines;
}

type Add = (name: string, run: Run, beside?: string) => void;

/** The phases count together. PREFLIGHT is listed alone too. */
async function backUp(
  on: BenchEngine,
  storage: Storage,
  folder: string,
  add: Add,
  { where, beside }: { readonly where: string; readonly beside: string },
): Promise<TakenBackup> {
  const workFolder = await freshFolder(folder);
  const whole = measure();
  let preflight: Run | undefined;
  const taken = await takeBackup({
    ...{ engine: on.engine, connection: on.source, storage, folder: `${where}/`, workFolder, signal, description },
    ...{ downloadCommand: (name) => name, now: () => new Date(), stallTimeoutMs: 600_000, timeoutMs: null },
    onPhase: (phase) => {
      if (phase === 'DUMPING') preflight = whole();
      return Promise.resolve();
    },
    onProgress: () => undefined,
  });
  const run = whole();
  if (preflight !== undefined) add(`ours: preflight of the backup (${where})`, preflight, beside);
  add(`ours: backup into the ${where}`, run, beside);
  return taken;
}

async function restore(
  on: BenchEngine,
  storage: Storage,
  backup: TakenBackup,
  folder: string,
  add: Add,
): Promise<void> {
  const workFolder = await freshFolder(folder);
  const whole = measure();
  let restoring: (() => Run) | undefined;
  await restoreBackup({
    ...{ restoreId: crypto.randomUUID(), engine: on.engine, target: on.target, storage, backup, workFolder, signal },
    ...{ stallTimeoutMs: 600_000, onToolStarting: () => Promise.resolve(), onProgress: () => undefined },
    onPhase: (phase) => {
      if (phase === 'RESTORING') restoring = measure();
      if (phase === 'CHECKING' && restoring !== undefined) {
        add('ours: restore, from the first statement', restoring(), bareRestore);
      }
      return Promise.resolve();
    },
  });
  add('ours: restore with all checks', whole(), bareRestore);
}

async function freshFolder(folder: string): Promise<string> {
  const path = join(folder, crypto.randomUUID());
  await mkdir(path, { mode: 0o700 });
  return path;
}

function uploadsTo(
  url: string,
): readonly { readonly program: string; readonly name: string; readonly command: string }[] {
  const login = `-A ${url}/auth/v1.0 -U test:tester -K testing`;
  const rclone = `RCLONE_SWIFT_AUTH=${url}/auth/v1.0 RCLONE_SWIFT_USER=test:tester RCLONE_SWIFT_KEY=testing rclone`;
  const all = [
    { program: 'swift', command: `swift -q ${login} upload --use-slo -S 16777216 --object-name dump swift -` },
    { program: 'rclone', command: `${rclone} --config /dev/null rcat :swift:rclone/dump` },
  ];
  return all.flatMap(({ program, command }) => {
    if (findProgram(program) !== undefined) return [{ program, name: `tool | zstd -3 -T0 | ${program}`, command }];
    console.error(`SKIPPED ${program}: it is not installed.`);
    return [];
  });
}

function openSwift(url: string, container: string): Storage {
  return swiftDriver.open({
    ...{ authUrl: `${url}/auth/v1.0`, container, createContainer: true, allowHost: () => true },
    credentials: { kind: 'V1', user: 'test:tester', key: new Secret('testing') },
  });
}

/** Deletes the objects of a round, so that the disk does not fill up. */
async function empty(url: string, container: string): Promise<void> {
  const storage = openSwift(url, container);
  for await (const { name: object } of storage.list('', { signal })) await storage.delete(object, { signal });
  await storage.close();
}

async function shell(command: string): Promise<Run> {
  const run = measure();
  await promisify(execFile)('bash', ['-c', `set -o pipefail; ${command}`], { maxBuffer: 16 * 1024 * 1024 });
  return run();
}

/** From this call on. Processor seconds of our process, and of its children that have ended. */
function measure(): () => Run {
  const seconds = () => performance.now() / 1000;
  const processor = () =>
    process.platform === 'linux' ? processorSecondsOf(readFileSync('/proc/self/stat', 'utf8')).all : 0;
  const before = { seconds: seconds(), processor: processor() };
  return () => ({ seconds: seconds() - before.seconds, processor: processor() - before.processor });
}

/** The median of all rounds. A ratio is that of the same round. */
function print(engineName: string, lines: readonly Line[]): void {
  const names = [...new Set(lines.map((line) => line.name))];
  console.table(
    names.map((each) => {
      const own = lines.filter((line) => line.name === each);
      const ratios = own.flatMap(({ round, beside, seconds }) => {
        const tool = lines.find((line) => line.round === round && line.name === beside);
        return tool === undefined ? [] : [tool.seconds / seconds];
      });
      return {
        '': `${engineName}: ${each}`,
        seconds: median(own.map(({ seconds }) => seconds)).toFixed(2),
        'processor s': median(own.map(({ processor }) => processor)).toFixed(2),
        'speed of the tool': ratios.length === 0 ? '' : median(ratios).toFixed(2),
        'compared with': own[0]?.beside ?? '',
      };
    }),
  );
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle)] ?? NaN)) / 2;
}
