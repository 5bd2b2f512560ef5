/** Each benchmark runs briefly, and every row of its tables must have a number. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { describeWith } from '../fixtures/requirements.js';
import { mariadbMissing } from '../fixtures/servers/mariadb.js';
import { mongoMissing } from '../fixtures/servers/mongo.js';
import { mongoToolsMissing } from '../fixtures/servers/mongoTools.js';
import { mysqlMissing } from '../fixtures/servers/mysql.js';
import { postgresMissing } from '../fixtures/servers/postgres.js';
import { postgresVersionsMissing } from '../fixtures/servers/postgresVersions.js';
import { swiftMissing } from '../fixtures/servers/swift.js';

const repository = join(import.meta.dirname, '../..');
/** The engines that cannot be measured here, which is reported. */
const engineMissing: Readonly<Record<string, string | undefined>> = {
  mysql: mysqlMissing,
  postgresql: postgresVersionsMissing,
  mongodb: mongoToolsMissing() ?? (await mongoMissing()),
};
for (const [engine, missing] of Object.entries(engineMissing)) {
  if (missing !== undefined) process.stderr.write(`SKIPPED the benchmark of ${engine}: ${missing}\n`);
}
const needs = { postgresql: await postgresMissing(), mariadb: mariadbMissing, swift: swiftMissing };

describeWith(needs, 'A benchmark runs', () => {
  test.each([
    ['schedule', []],
    ['append', []],
    ['retention', []],
    ['stats', []],
    ['authentication', []],
    ['enumeration', []],
    ['pipeline', ['--only', 'floor,process']],
    ['tables', []],
    ['scanner', []],
    ...['mariadb', 'mysql', 'postgresql', 'mongodb']
      .filter((engine) => engineMissing[engine] === undefined)
      .flatMap((engine): [string, string[]][] => [
        ['engines', ['--engine', engine]],
        ['engines', ['--engine', engine, '--tables', '20', '--no-swift']],
      ]),
  ])(
    '%s %j',
    async (name, options) => {
      const args = ['--no-warnings', '--import', '@swc-node/register/esm-register', `bench/${name}.ts`, '--brief'];
      const { stdout } = await promisify(execFile)(process.execPath, [...args, ...options], { cwd: repository });
      const rows = stdout.split('\n').filter((line) => /^│ (?!\(index\))/.test(line));
      expect(rows.length).toBeGreaterThan(0);
      // The first cell is the name of the row.
      for (const row of rows)
        expect(row.split('│').slice(2)).toContainEqual(expect.stringMatching(/^ '?\d+(\.\d+)?'? *$/));
      expect(stdout).not.toMatch(/NaN|undefined|Infinity/);
    },
    280_000,
  );
});
