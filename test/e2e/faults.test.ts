import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startFaultBench, type FaultBench } from '../faults/faultBench.js';
import { allFaults } from '../faults/faultSuite.js';
import { seededRandom } from '../faults/seededRandom.js';
import { leftAfterDeleting } from '../faults/tryFaults.js';
import { mariadbMissing } from '../fixtures/servers/mariadb.js';
import { postgresMissing } from '../fixtures/servers/postgres.js';
import { describeWith } from '../fixtures/requirements.js';
import { swiftMissing } from '../fixtures/servers/swift.js';

/** Some quick faults of each group of the fault suite (`scripts/faults` runs all). */
const sample = [
  'Between two steps: an error is thrown before verify',
  'Between two steps: every connection to PostgreSQL is reset after put',
  'Between two steps: the worker is asked to stop before putBytes',
  'Between two steps: somebody cancels after put',
  'During the dump: the database resets the connection at megabyte 5',
  'During the dump: zstd is killed at megabyte 3',
  'Database connections: connection 3 is reset',
  "Sources and targets: the source has init_connect = 'SET sql_select_limit=3'",
  'Sources and targets: text in cp1251',
  'Sources and targets: FLOAT keys that become equal',
  'Dump tool: mariadb-dump: exit 3 in the middle',
  'Dump tool: mariadb-dump: error 1 after a whole dump, exit 0',
  'Dump tool: mariadb-dump: an empty dump, exit 0',
  'Dump tool: mariadb-dump: lacks a table, with a completion line',
  'Dump tool: mariadb-dump: without a completion line',
  'Dump tool: mariadb-dump: leaves a child behind',
  'Timeout: mariadb-dump hangs in the middle',
  'Compressor: zstd: SIGKILL after everything',
  'Compressor: zstd: loses its last bytes, exit 0',
  'Swift connection: reset inside the body of PUT of segment 5',
  'Swift connection: a flipped bit in PUT of segment 5',
  'Swift connection: 201 that stored nothing for PUT of segment 6',
  'Swift connection: 201 that stored nothing for PUT of the manifest',
  'Swift connection: 200 with an error inside to PUT of the manifest',
  'Swift connection: the token dies before PUT of the manifest',
  'Swift connection: the token dies, and the connection, inside the body of PUT of segment 5',
  'Swift answers: 503 once to PUT of a segment',
  'Swift answers: 507 always to PUT of the manifest',
  'Worker killed: kill -9 after the storing of backup.json',
  'Restore: fetching: a flipped bit at byte 2600000',
  'Restore: restoring: a flipped bit at byte 2600000',
  'Restore: restoring: the connection is reset at megabyte 3',
  "Full disk: a folder's disk takes 2 more files",
  "Full disk of Swift: the object server's disk is full in the middle",
  "Quota: the account's bytes are used up at the manifest",
  'Damage in Swift: two segments are swapped',
  "Damage in Swift: the manifest is another backup's",
  ...['MYSQL', 'POSTGRESQL', 'MONGODB'].flatMap((engine) => [
    `Engine ${engine}: backup: the dump tool: exit 1 after a whole dump`,
    `Engine ${engine}: backup: the dump tool: loses the last bytes, exit 0`,
    `Engine ${engine}: backup: the dump tool: hangs in the middle`,
    `Engine ${engine}: backup: the server is gone at byte 2500000`,
    `Engine ${engine}: restore: the restore tool: restores a half, exit 0`,
  ]),
];

const faults = sample.map((name) => ({
  name,
  fault: allFaults.find(({ group, name: own }) => `${group}: ${own}` === name),
}));
const cannotBeTried = faults.filter(({ fault }) => fault?.missing !== undefined);

const needs = { postgresql: await postgresMissing(), mariadb: mariadbMissing, swift: swiftMissing };

describeWith(needs, 'Under a fault every report is true and nothing is left:', () => {
  let bench: FaultBench;

  beforeAll(async () => {
    bench = await startFaultBench(seededRandom(1));
  }, 300_000);
  afterAll(() => bench.stop(), 60_000);

  test.each(faults.filter((one) => !cannotBeTried.includes(one)))(
    '$name',
    async ({ fault }) => {
      const trial = await fault?.attempt(bench);
      await bench.heal();
      expect(trial).toMatchObject({ problems: [] });
    },
    400_000,
  );

  for (const { name, fault } of cannotBeTried) {
    process.stderr.write(`SKIPPED ${name}: ${fault?.missing}\n`);
    test.skip(`${name} (skipped: ${fault?.missing})`, () => undefined);
  }

  test('the newest backup can be restored by hand; after all are deleted the container is empty, and no job is left', async () => {
    expect(await leftAfterDeleting(bench)).toEqual([]);
  }, 150_000);
});
