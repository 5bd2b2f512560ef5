/**
 * Measures backup, restore and check of a MariaDB or MySQL server with very many small tables, compared with the tools alone.
 * Each phase is compared with the same tool in the same run, so that a busy machine affects both in the same way. The
 * result is the ratios, not the seconds. The processor seconds of the server are those of the phase.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { restoreBackup } from '../src/archive/restoreBackup.js';
import { takeBackup } from '../src/archive/takeBackup.js';
import type { TakenBackup } from '../src/archive/archive.js';
import { filesystemDriver } from '../src/storage/filesystem/filesystemDriver.js';
import { brief } from './brief.js';
import { processUse } from './pipeline/processUse.js';
import type { FamilyServer } from '../test/fixtures/servers/familyServer.js';
import { benchedEngine } from './tables/benchedEngines.js';
import { makeTables } from './tables/manyTables.js';

const usage = `node --import @swc-node/register/esm-register bench/tables.ts [options]

  --engine E    mariadb (default) or mysql
  --tables N    the number of tables, with ten rows each (default 10000)
  --rounds N    how often each one runs (default 1)
  --no-restore  only the check of the service and the backup
  --brief       only shows that it works
  --help        print this help

Needs zstd, and mariadb-server or the MySQL of scripts/servers/mysql-up. Ours is the processor time of this process, without the tools.`;

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'mariadb' },
    tables: { type: 'string', default: brief ? '60' : '10000' },
    rounds: { type: 'string', default: '1' },
    'no-restore': { type: 'boolean', default: false },
    brief: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

/** The rows of the tools alone. */
const names = { dump: 'dump tool | zstd > file', restore: 'client < file' } as const;

type Figures = { readonly seconds: number; readonly ours: number | null; readonly server: number | null };
/** `beside`: the tool that a phase is compared with. */
type Line = Figures & { readonly round: number; readonly name: string; readonly beside: 'dump' | 'restore' };

const { engine, start: startServer, dumpTool, client } = benchedEngine(values.engine);
const signal = new AbortController().signal;
const description = {
  ...{ installationId: 'bench', projectId: 'bench', serviceId: 'bench', serviceName: 'bench', planId: null },
  ...{ jobId: 'bench', batchId: 'bench', attempt: 1, trigger: 'MANUAL', startedAt: new Date().toISOString() },
} as const;

if (values.help) console.log(usage);
else await bench(Number(values.tables), Number(values.rounds));

async function bench(tables: number, rounds: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'stowage-bench-'));
  const closing: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
  const start = async (name: string): Promise<[FamilyServer, string]> => {
    const server = await startServer();
    closing.unshift(() => server.stop());
    return [server, await optionFile(server, join(folder, `${name}.cnf`))];
  };
  try {
    console.log(`Making ${tables} tables …`);
    const [source, sourceOptions] = await start('source');
    await makeTables(source, tables);
    const target = values['no-restore'] ? undefined : await start('target');
    const lines: Line[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      lines.push(...(await backUp(source, sourceOptions, { folder, round, target, tables })));
    }
    print(lines);
  } finally {
    for (const close of closing) await close();
    await engine.close();
  }
}

type Round = {
  readonly folder: string;
  readonly round: number;
  readonly tables: number;
  readonly target: readonly [FamilyServer, string] | undefined;
};

async function backUp(source: FamilyServer, options: string, each: Round): Promise<readonly Line[]> {
  const { folder, round, tables, target } = each;
  const lines: Line[] = [];
  const add = (name: string, beside: Line['beside'], figures: Figures) =>
    lines.push({ round, name, beside, ...figures });
  const bare = join(folder, 'bare.sql.zst');
  const dump = `${dumpTool} --defaults-file=${options} --single-transaction --routines --events --databases bench bench_2`;
  add(names.dump, 'dump', await shell(`${dump} | zstd -3 -q -f -o ${bare}`, source));

  const check = phases(source);
  await engine.check(source.connection(), { signal, timeoutMs: 120_000 });
  for (const [, figures] of check.end()) add('check of the service', 'dump', figures);

  const storage = filesystemDriver.open({ root: folder, path: 'backups' });
  const workFolder = join(folder, `work-${round}`);
  await mkdir(workFolder, { mode: 0o700 });
  const { enter, end } = phases(source);
  const taken = await takeBackup({
    ...{ engine, connection: source.connection(), storage, folder: `${round}/`, workFolder, signal },
    ...{ description, downloadCommand: (name) => name, now: () => new Date() },
    ...{ stallTimeoutMs: 120_000, timeoutMs: null, lockPatienceMs: 30_000 },
    onPhase: enter,
    onProgress: () => undefined,
  });
  for (const [phase, figures] of end()) add(phase, 'dump', figures);
  tellCounts(taken, tables, round);

  if (target !== undefined) {
    const [server, targetOptions] = target;
    const restoring = phases(server);
    const { differences } = await restoreBackup({
      ...{
        restoreId: `bench-${round}`,
        engine,
        target: server.connection(),
        storage,
        backup: taken,
        workFolder,
        signal,
      },
      ...{ stallTimeoutMs: 120_000, onPhase: restoring.enter, onToolStarting: () => Promise.resolve() },
      onProgress: () => undefined,
    });
    for (const [phase, figures] of restoring.end()) add(`restore: ${phase}`, 'restore', figures);
    console.log(`round ${round}: ${differences.length} differences after the restore.`);
    await server.sql('DROP DATABASE bench; DROP DATABASE bench_2;');
    const load = `zstd -dcq ${bare} | ${client} --defaults-file=${targetOptions}`;
    add(names.restore, 'restore', await shell(load, server));
    await server.sql('DROP DATABASE bench; DROP DATABASE bench_2;');
  }
  await storage.close();
  return lines;
}

function tellCounts({ inventory, warnings }: TakenBackup, tables: number, round: number): void {
  const all = inventory.databases.flatMap((database) => database.tables);
  const exact = all.filter(({ rows, rowsEstimated }) => rows === 10 && !rowsEstimated).length;
  const documentMb = Buffer.byteLength(JSON.stringify(inventory)) / 1e6;
  console.log(`round ${round}: ${exact} of ${tables} counts are exact; the inventory has ${documentMb.toFixed(1)} MB.`);
  const uncompared = warnings.filter((warning) => /compare|could not/.test(warning));
  for (const warning of uncompared) console.log(`round ${round}: ${warning.slice(0, 200)}`);
}

function print(lines: readonly Line[]): void {
  console.table(
    lines.map(({ round, name, beside, seconds, ours, server }) => {
      const tool = lines.find((line) => line.round === round && line.name === names[beside]);
      return {
        round,
        '': name,
        seconds: seconds.toFixed(2),
        'of the tool': tool === undefined ? '' : (seconds / tool.seconds).toFixed(2),
        'ours, processor s': ours === null ? '' : ours.toFixed(2),
        'server, processor s': server === null ? '' : server.toFixed(2),
      };
    }),
  );
}

/** The duration and the cost of each phase. Without phases everything counts as one. */
function phases(server: FamilyServer): {
  readonly enter: (phase: string) => Promise<void>;
  readonly end: () => readonly (readonly [string, Figures])[];
} {
  const use = () => ({ at: performance.now(), cpu: process.cpuUsage(), server: serverSeconds(server) });
  const done: (readonly [string, Figures])[] = [];
  let current: string | undefined;
  let begun = use();
  const finish = () => {
    const [before, { at, cpu, server: seconds }] = [begun, use()];
    const ours = (cpu.user + cpu.system - before.cpu.user - before.cpu.system) / 1e6;
    const figures = {
      seconds: (at - before.at) / 1000,
      ours,
      server: seconds === null || before.server === null ? null : seconds - before.server,
    };
    if (current !== undefined) done.push([current, figures]);
    begun = use();
  };
  return {
    enter: (phase) => {
      finish();
      current = phase;
      return Promise.resolve();
    },
    end: () => {
      current ??= 'all';
      finish();
      return done;
    },
  };
}

function serverSeconds({ pid }: FamilyServer): number | null {
  return processUse(pid)?.processor.own ?? null;
}

async function shell(command: string, server: FamilyServer): Promise<Figures> {
  const [begin, before] = [performance.now(), serverSeconds(server)];
  await promisify(execFile)('bash', ['-c', `set -o pipefail; ${command}`]);
  const after = serverSeconds(server);
  return {
    seconds: (performance.now() - begin) / 1000,
    ours: null,
    server: before === null || after === null ? null : after - before,
  };
}

async function optionFile(server: FamilyServer, path: string): Promise<string> {
  const password = server.password.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
  const login = `host=127.0.0.1\nport=${server.port}\nuser=${server.username}\npassword="${password}"\n`;
  await writeFile(path, `[client]\n${login}`, { mode: 0o600 });
  return path;
}
