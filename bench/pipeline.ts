/**
 * Measures a backup of a generated MariaDB database into a real Swift, by our code in a separate process and by a
 * complete `stowage worker`. It compares them with the shell pipelines that a person would type, and with a minimum
 * that stores nothing. They alternate, so that a busy machine affects all in the same way. The result is the ratios,
 * not the absolute numbers.
 */
import { execFile, spawn } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { mariadbDumpArguments } from '../src/engines/mariadb/mariadbDumpArguments.js';
import { databasesPart } from '../src/engines/mysqlFamily/checks/preflight.js';
import { findProgram } from '../src/engines/process/programs.js';
import { swiftDriver } from '../src/storage/swift/swiftDriver.js';
import { startMariadb, type MariadbServer } from '../test/fixtures/servers/mariadb.js';
import { startSwift, type SwiftServer } from '../test/fixtures/servers/swift.js';
import { brief } from './brief.js';
import type { BackupOrder, BackupReport } from './pipeline/backupOrder.js';
import { fillOrders } from './pipeline/ordersDatabase.js';
import { peakMbOf, processorSecondsOf, type ProcessorSeconds } from './pipeline/processUse.js';
import { startRealWorker } from './pipeline/realWorker.js';

const usage = `node --import @swc-node/register/esm-register bench/pipeline.ts [options]

  --gib N      the approximate size of the dump (default 1)
  --rounds N   how often each one runs (default 3)
  --only A,B   only these: floor, process, worker, swift, rclone
  --brief      only shows that it works
  --no-build   uses the present dist/ without a build
  --help       print this help

Needs mariadb-server, zstd, python3-swift and PostgreSQL; the rows of swift and rclone need those programs. Ours is the
built code. Memory is the largest resident size of our own Node process, without the tools (Linux only).`;

const floorName = 'mariadb-dump | zstd -3 > /dev/null';

type Run = {
  readonly seconds: number;
  /** Measures the tools and our process, without the servers. */
  readonly processor?: ProcessorSeconds | undefined;
  readonly peakMb?: number | undefined;
  readonly note?: string;
};
type Contender = { readonly name: string; readonly key: string; readonly run: () => Promise<Run> };

const { values } = parseArgs({
  options: {
    gib: { type: 'string', default: brief ? '0.001' : '1' },
    rounds: { type: 'string', default: brief ? '1' : '3' },
    only: { type: 'string' },
    brief: { type: 'boolean', default: false },
    'no-build': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) console.log(usage);
else await bench(Number(values.gib), Number(values.rounds));

async function bench(gib: number, rounds: number): Promise<void> {
  if (!values['no-build']) await build();
  const folder = await mkdtemp(join(tmpdir(), 'stowage-bench-'));
  const closing: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
  try {
    console.log(`Generating about ${gib} GiB of dump …`);
    const mariadb = await startMariadb(['--innodb-buffer-pool-size=256M', '--innodb-log-file-size=256M']);
    closing.unshift(() => mariadb.stop());
    await fillOrders(mariadb, gib);
    const swift = await startSwift();
    closing.unshift(() => swift.stop());

    const dump = await dumpCommand(mariadb, folder);
    const plainBytes = Number((await shell(`${dump} | wc -c`)).output);
    console.log(`The dump has ${plainBytes} bytes, ${(plainBytes / 1024 ** 3).toFixed(2)} GiB.`);
    const wanted = (key: string) => values.only === undefined || values.only.split(',').includes(key);
    const contenders = shellContenders(dump, swift).filter(({ key }) => wanted(key));
    if (wanted('process')) {
      contenders.splice(1, 0, {
        name: 'ours: takeBackup in a separate process',
        key: 'process',
        run: () => ownProcess(mariadb, swift, folder),
      });
    }
    if (wanted('worker')) {
      const worker = await startRealWorker(mariadb, swift, 'worker');
      closing.unshift(() => worker.stop());
      contenders.splice(2, 0, {
        name: 'ours: stowage worker',
        key: 'worker',
        run: async () => {
          const { idleMb, ...run } = await worker.backUp();
          return { ...run, note: `${idleMb} MB before` };
        },
      });
    }
    const runs = new Map<string, Run[]>(contenders.map(({ name }) => [name, []]));
    for (let round = 1; round <= rounds; round += 1) {
      for (const { name, run } of contenders) {
        const done = await run();
        runs.get(name)?.push(done);
        console.log(`round ${round}: ${name}: ${done.seconds.toFixed(1)} s ${done.note ?? ''}`);
        await emptyContainers(swift);
      }
    }
    print(runs, plainBytes);
  } finally {
    for (const close of closing) await close();
  }
}

/** The median, and the ratio of each round to the minimum of the same round. */
function print(runs: ReadonlyMap<string, readonly Run[]>, plainBytes: number): void {
  const floor = runs.get(floorName) ?? [];
  const table = [...runs].map(([name, done]) => ({
    '': name,
    'MB/s of dump': Math.round(plainBytes / 1e6 / median(done.map(({ seconds }) => seconds))),
    'of the floor': median(done.map(({ seconds }, round) => (floor[round]?.seconds ?? NaN) / seconds)).toFixed(2),
    'processor s': median(done.map(({ processor }) => processor?.all ?? NaN)).toFixed(1),
    'of which ours': name.startsWith('ours')
      ? median(done.map(({ processor }) => processor?.own ?? NaN)).toFixed(1)
      : '',
    'our peak MB': Math.max(...done.map(({ peakMb }) => peakMb ?? 0)) || '',
  }));
  console.table(table);
}

function shellContenders(dump: string, swift: SwiftServer): Contender[] {
  const compress = 'zstd -3 -T0 --quiet';
  const login = `-A ${swift.url}/auth/v1.0 -U test:tester -K testing`;
  const rclone = `RCLONE_SWIFT_AUTH=${swift.url}/auth/v1.0 RCLONE_SWIFT_USER=test:tester RCLONE_SWIFT_KEY=testing rclone`;
  const contenders = [
    { key: 'floor', name: floorName, command: `${dump} | zstd -3 --quiet > /dev/null` },
    {
      key: 'swift',
      name: 'mariadb-dump | zstd -3 -T0 | swift upload',
      program: 'swift',
      debianPackage: 'python3-swiftclient',
      command: `${dump} | ${compress} | swift -q ${login} upload --use-slo -S 16777216 --object-name orders.sql.zst swift -`,
    },
    {
      key: 'rclone',
      name: 'mariadb-dump | zstd -3 -T0 | rclone rcat',
      program: 'rclone',
      debianPackage: 'rclone',
      command: `${dump} | ${compress} | ${rclone} --config /dev/null rcat :swift:rclone/orders.sql.zst`,
    },
  ];
  return contenders.flatMap(({ key, name, program, debianPackage, command }) => {
    if (program === undefined || findProgram(program) !== undefined) return [{ key, name, run: () => shell(command) }];
    console.error(`SKIPPED ${name}: ${program} is not installed (apt-get install ${debianPackage})`);
    return [];
  });
}

/** Runs mariadb-dump as our engine does. The password is in a file. */
async function dumpCommand(mariadb: MariadbServer, folder: string): Promise<string> {
  const optionFile = join(folder, 'client.cnf');
  const password = mariadb.password.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
  await writeFile(
    optionFile,
    `[client]\nhost=127.0.0.1\nport=${mariadb.port}\nuser=${mariadb.username}\npassword="${password}"\n`,
  );
  await chmod(optionFile, 0o600);
  const inventory = { serverVersion: '', toolVersion: '', sizeBytes: null, databases: [] };
  const args = mariadbDumpArguments({ inventory, parts: [databasesPart], warnings: [] });
  return `mariadb-dump --defaults-file=${optionFile} ${args.join(' ')} bench`;
}

async function ownProcess(mariadb: MariadbServer, swift: SwiftServer, folder: string): Promise<Run> {
  const workFolder = await mkdtemp(join(folder, 'work-'));
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('../dist/bench/pipeline/takeBackup.js', import.meta.url))],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {},
    },
  );
  const order: BackupOrder = {
    connection: { ...mariadb.connection(), password: mariadb.password },
    swift: { authUrl: swift.settings('process').authUrl, container: 'process', user: 'test:tester', key: 'testing' },
    workFolder,
  };
  child.stdin.end(JSON.stringify(order));
  let printed = '';
  for await (const chunk of child.stdout) printed += String(chunk);
  if (printed === '') throw new Error('takeBackup in a separate process printed nothing.');
  const ended = JSON.parse(printed) as BackupReport;
  return {
    seconds: ended.seconds,
    processor: ended.stat === '' ? undefined : processorSecondsOf(ended.stat),
    peakMb: peakMbOf(ended.status),
    note: `phases from ms ${JSON.stringify(ended.phases)}`,
  };
}

async function shell(command: string): Promise<Run & { readonly output: string }> {
  const begin = performance.now();
  const counted = process.platform === 'linux' ? ' && cat /proc/$$/stat >&2' : '';
  const { stdout, stderr } = await promisify(execFile)('bash', ['-c', `set -o pipefail; ${command}${counted}`]);
  const stat = stderr.trimEnd().split('\n').at(-1) ?? '';
  return {
    seconds: (performance.now() - begin) / 1000,
    output: stdout,
    ...(counted === '' ? {} : { processor: processorSecondsOf(stat) }),
  };
}

/** Deletes the objects of a run, so that the disk does not fill up. */
async function emptyContainers(swift: SwiftServer): Promise<void> {
  const signal = AbortSignal.timeout(120_000);
  for (const container of ['process', 'worker', 'swift', 'swift_segments', 'rclone', 'rclone_segments']) {
    const storage = swiftDriver.open(swift.settings(container));
    try {
      if (
        !(await storage.head('none', { signal }).then(
          () => true,
          () => false,
        ))
      )
        continue;
      for await (const { name } of storage.list('', { signal })) await storage.delete(name, { signal });
    } finally {
      await storage.close();
    }
  }
}

async function build(): Promise<void> {
  const compiler = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));
  await promisify(execFile)(
    process.execPath,
    [compiler, '-p', 'bench/pipeline/tsconfig.json', ...(brief ? ['--noCheck'] : [])],
    {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
    },
  );
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (
    ((sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN) + (sorted[Math.ceil((sorted.length - 1) / 2)] ?? NaN)) / 2
  );
}
