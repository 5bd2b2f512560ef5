/**
 * Measures what the scanner of a dump costs: how much longer the dump takes (mariadb-dump | observer | zstd), and the
 * processor time of the observer with the scanner and without it, as a share of the time that the dump takes. They take turns. The start of the observer does
 * not count, because it starts while the preflight runs. The goal is at most 3 %.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { databasesPart } from '../src/engines/mysqlFamily/checks/preflight.js';
import { mariadbDumpArguments } from '../src/engines/mariadb/mariadbDumpArguments.js';
import { dumpScanner } from '../src/engines/mysqlFamily/dump/dumpScanner.js';
import { createObserver, type Scanner } from '../src/engines/pipeline/observer.js';
import { systemTools } from '../src/engines/process/tools.js';
import { startMariadb, type MariadbServer } from '../test/fixtures/servers/mariadb.js';
import { brief } from './brief.js';
import { fillOrders } from './pipeline/ordersDatabase.js';
import { makeTables } from './tables/manyTables.js';

const usage = `node --import @swc-node/register/esm-register bench/scanner.ts [options]

  --mib N     the approximate size of each dump in MiB (default 256)
  --rounds N  how often each one runs (default 5)
  --brief     only shows that it works
  --help      print this help

Needs mariadb-server, zstd and perl.`;

const { values } = parseArgs({
  options: {
    mib: { type: 'string', default: brief ? '1' : '256' },
    rounds: { type: 'string', default: brief ? '1' : '5' },
    brief: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
type Content = { readonly name: string; readonly make: (server: MariadbServer, mib: number) => Promise<unknown> };

/** Creates a table `bench.t` with rows of about `rowBytes` bytes in a dump. */
function rowsOf(columns: string, values: string, rowBytes: number): Content['make'] {
  return (server, mib) =>
    server.sql(`CREATE DATABASE bench; USE bench; CREATE TABLE t (${columns});
      INSERT INTO t SELECT ${values} FROM seq_1_to_${Math.ceil((mib * 1024 ** 2) / rowBytes)};`);
}

const contents: readonly Content[] = [
  { name: 'orders', make: (server, mib) => fillOrders(server, mib / 1024) },
  { name: 'small tables', make: (server, mib) => makeTables(server, Math.ceil(mib * 30)) },
  { name: 'integers', make: rowsOf('a INT, b BIGINT', 'seq, seq * 1000', 20) },
  // Half of the values begin with -0, like a negative zero.
  { name: 'DOUBLE', make: rowsOf('a DOUBLE, b DOUBLE', 'SIN(seq), COS(seq)', 42) },
  { name: 'BLOB', make: rowsOf('a LONGBLOB', 'REPEAT(UNHEX(SHA2(seq, 512)), 16384)', 1024 ** 2) },
  { name: 'UUID', make: rowsOf('a UUID, b VARCHAR(20)', "INSERT(UUID(), 1, 8, LPAD(HEX(seq), 8, '0')), seq", 50) },
];

if (values.help) console.log(usage);
else await bench(Number(values.mib), Number(values.rounds));

async function bench(mib: number, rounds: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'stowage-bench-'));
  const server = await startMariadb(['--innodb-buffer-pool-size=512M', '--innodb-log-file-size=256M']);
  try {
    const startOf = await startSeconds(folder);
    const rows = [];
    for (const { name, make } of contents) {
      console.log(`Making ${name} …`);
      await make(server, mib);
      const runs = [];
      for (let round = 1; round <= rounds; round += 1) {
        const without = await dump(server, folder);
        const scanned = await dump(server, folder, dumpScanner());
        runs.push({
          ...scanned,
          share: (100 * (scanned.observer - startOf - without.observer)) / scanned.seconds,
          without,
        });
      }
      rows.push({
        '': name,
        'dump, s': median(runs.map(({ seconds }) => seconds)).toFixed(2),
        'observer, processor s': median(runs.map(({ without }) => without.observer)).toFixed(2),
        'with the scanner': median(runs.map(({ observer }) => observer)).toFixed(2),
        'time of the dump, with / without': (
          median(runs.map(({ seconds }) => seconds)) / median(runs.map(({ without }) => without.seconds))
        ).toFixed(3),
        'share of the dump, %': median(runs.map(({ share }) => share)).toFixed(1),
      });
      await server.sql('DROP DATABASE bench; DROP DATABASE IF EXISTS bench_2;');
    }
    console.table(rows);
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function dump(
  server: MariadbServer,
  folder: string,
  scanner?: Scanner,
): Promise<{ readonly seconds: number; readonly observer: number }> {
  const optionFile = join(folder, 'client.cnf');
  const password = server.password.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
  const login = `host=127.0.0.1\nport=${server.port}\nuser=${server.username}\npassword="${password}"\n`;
  await writeFile(optionFile, `[client]\n${login}`, { mode: 0o600 });
  const databases = (await server.sql("SHOW DATABASES LIKE 'bench%'")).trim().split('\n');
  const inventory = { serverVersion: '', toolVersion: '', sizeBytes: null, databases: [] };
  const options = mariadbDumpArguments({ inventory, parts: [databasesPart], warnings: [] });
  const tool = `mariadb-dump --defaults-file=${optionFile} ${[...options, ...databases].join(' ')}`;
  return observe(tool, folder, scanner);
}

/** The processor time that an observer with the scanner needs for an empty dump, beyond that of one without. */
async function startSeconds(folder: string): Promise<number> {
  const runs = [];
  for (let run = 0; run < 5; run += 1) {
    const without = await observe('true', folder);
    runs.push((await observe('true', folder, dumpScanner())).observer - without.observer);
  }
  return median(runs);
}

async function observe(
  tool: string,
  folder: string,
  scanner?: Scanner,
): Promise<{ readonly seconds: number; readonly observer: number }> {
  const { program, args } = createObserver(systemTools, scanner === undefined ? {} : { scanner });
  const times = join(folder, 'times');
  const line = `set -o pipefail; ${tool} |
    { TIMEFORMAT='%U %S'; time "$@" 3>/dev/null 2>&4; } 4>&2 2>${times} | zstd -3 -q >/dev/null`;
  const begin = performance.now();
  await promisify(execFile)('bash', ['-c', line, 'bash', program, ...args]);
  const seconds = (performance.now() - begin) / 1000;
  const [user = NaN, system = NaN] = (await readFile(times, 'utf8')).trim().split(' ').map(Number);
  return { seconds, observer: user + system };
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}
