import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createMariadbEngine } from '../../src/engines/mariadb/mariadbEngine.js';
import { mariadbDumpArguments } from '../../src/engines/mariadb/mariadbDumpArguments.js';
import { createMysqlEngine } from '../../src/engines/mysql/mysqlEngine.js';
import { mysqlDumpArguments } from '../../src/engines/mysql/mysqlDumpArguments.js';
import { databasesPart } from '../../src/engines/mysqlFamily/checks/preflight.js';
import type { PreflightReport } from '../../src/engines/preflightReport.js';
import { startMariadb } from '../../test/fixtures/servers/mariadb.js';
import { mysqlHome, startMysql } from '../../test/fixtures/servers/mysql.js';
import type { BenchEngine } from './benchEngine.js';
import { ordersOf, wordOf } from './orders.js';

const inventory = { serverVersion: '', toolVersion: '', sizeBytes: null };
const database = { name: 'bench', tables: [], objects: {}, properties: {} };
const report: PreflightReport = {
  inventory: { ...inventory, databases: [database] },
  parts: [databasesPart],
  warnings: [],
};

export async function mariadbBench(folder: string): Promise<BenchEngine> {
  const options = ['--innodb-buffer-pool-size=256M', '--innodb-log-file-size=256M', '--innodb-flush-method=nosync'];
  const [source, target] = await Promise.all([startMariadb(options), startMariadb(options)]);
  const [from, to] = await Promise.all([optionFile(source, folder), optionFile(target, folder)]);
  return {
    ...{ engine: createMariadbEngine(), source: source.connection({ databases: ['bench'] }) },
    target: target.connection(),
    dumpCommand: `mariadb-dump --defaults-file=${from} ${mariadbDumpArguments(report).join(' ')}`,
    restoreCommand: `mariadb --defaults-file=${to} --binary-mode --batch`,
    ...contentsIn((statements) => source.sql(statements)),
    clearTarget: () => target.sql('DROP DATABASE IF EXISTS bench').then(() => undefined),
    stop: () => Promise.all([source.stop(), target.stop()]).then(() => undefined),
  };
}

export async function mysqlBench(folder: string): Promise<BenchEngine> {
  const options = ['--innodb-buffer-pool-size=256M', '--innodb-flush-method=nosync'];
  const [source, target] = await Promise.all([startMysql(options), startMysql(options)]);
  const [from, to] = await Promise.all([optionFile(source, folder), optionFile(target, folder)]);
  const program = (name: string) => join(mysqlHome, 'bin', name);
  return {
    engine: createMysqlEngine({ tools: { folders: [join(mysqlHome, 'bin')] } }),
    source: source.connection({ databases: ['bench'] }),
    target: target.connection(),
    dumpCommand: `${program('mysqldump')} --defaults-file=${from} ${mysqlDumpArguments(report).join(' ')}`,
    restoreCommand: `${program('mysql')} --defaults-file=${to} --binary-mode --batch`,
    ...contentsIn((statements) => source.sql(statements)),
    clearTarget: () => target.sql('DROP DATABASE IF EXISTS bench').then(() => undefined),
    stop: () => Promise.all([source.stop(), target.stop()]).then(() => undefined),
  };
}

type Login = { readonly port: number; readonly username: string; readonly password: string };

async function optionFile({ port, username, password }: Login, folder: string): Promise<string> {
  const path = join(folder, `${port}.cnf`);
  const quoted = `"${password.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  const login = `host=127.0.0.1\nport=${port}\nuser=${username}\npassword=${quoted}\n`;
  await writeFile(path, `[client]\n${login}`, { mode: 0o600 });
  return path;
}

/** Statements that MariaDB and MySQL understand. */
function contentsIn(sql: (statements: string) => Promise<unknown>): Pick<BenchEngine, 'fillOrders' | 'makeTables'> {
  const elt = (pick: string, values: readonly string[]) => `ELT(1 + ${pick} % ${values.length}, ${values.join(', ')})`;
  const word = (seed: number) => wordOf(`CRC32(n * ${seed})`, elt);
  const numbers = 'FROM numbers a JOIN numbers b JOIN numbers c WHERE a.d * 10000 + b.d * 100 + c.d';
  return {
    async fillOrders(gib) {
      const perTable = 1_000_000;
      await sql(`CREATE DATABASE bench CHARACTER SET utf8mb4; USE bench; CREATE TABLE numbers (d INT PRIMARY KEY);
        INSERT INTO numbers VALUES ${Array.from({ length: 100 }, (_, d) => `(${d})`).join(', ')};`);
      for (let begin = 0; begin < ordersOf(gib); begin += perTable) {
        const rows = Math.min(perTable, ordersOf(gib) - begin);
        await sql(`USE bench; CREATE TABLE orders_${begin} (
            id BIGINT PRIMARY KEY, customer INT NOT NULL, placed DATETIME NOT NULL, status VARCHAR(12) NOT NULL,
            email VARCHAR(80) NOT NULL, amount DECIMAL(10,2) NOT NULL, note TEXT NOT NULL, token CHAR(64) NOT NULL);
          INSERT INTO orders_${begin} SELECT n, CRC32(n) % 90000, '2020-01-01' + INTERVAL n SECOND,
            ${wordOf('CRC32(n * 3)', elt)}, CONCAT(${word(5)}, '.', CRC32(n * 7) % 100000, '@example.com'),
            (CRC32(n * 11) % 1000000) / 100, CONCAT_WS(' ', ${[13, 17, 19, 23, 29, 31, 37, 41, 43, 47].map(word).join(', ')}),
            SHA2(n, 256)
          FROM (SELECT ${begin} + a.d * 10000 + b.d * 100 + c.d AS n ${numbers} < ${rows}) AS numbered;`);
      }
      await sql('DROP TABLE bench.numbers');
    },
    async makeTables(tables) {
      await sql('CREATE DATABASE bench CHARACTER SET utf8mb4');
      const rows = Array.from({ length: 10 }, (_, row) => `(${row}, 'name ${row}', '${'words '.repeat(row)}')`).join(
        ', ',
      );
      for (let begin = 0; begin < tables; begin += 500) {
        const some = Array.from({ length: Math.min(500, tables - begin) }, (_, index) => `t${begin + index}`);
        const create = (name: string) =>
          `CREATE TABLE ${name} (id INT PRIMARY KEY, name VARCHAR(80) NOT NULL, note TEXT, KEY name (name));
           INSERT INTO ${name} VALUES ${rows};`;
        await sql(`USE bench; ${some.map(create).join('\n')}`);
      }
    },
  };
}
