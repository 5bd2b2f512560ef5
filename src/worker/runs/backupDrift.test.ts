import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../test/fixtures/servers/mariadb.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { eventually, startWorkerHarness, type WorkerHarness } from '../../../test/fixtures/workerHarness.js';
import { previousObjects } from '../../backups/drift/previousBackup.js';
import { BackupJobTable, type BackupJobRow } from '../../backups/backupJobView.js';
import type { BackupRequest } from '../../backups/backupJob.js';
import { backupJobMessage } from '../../backups/backupJobMessage.js';
import type { DriftThreshold } from '../../plans/driftThreshold.js';

const half: DriftThreshold = { tablePercent: 50, totalPercent: null, action: 'FAIL', exceptTables: [] };

const warningsOf = ({ warnings }: BackupJobRow) => warnings.filter((each) => each.startsWith('The database has fewer'));

describeWith({ postgresql: await postgresMissing(), mariadb: mariadbMissing }, 'A worker compares a backup', () => {
  let harness: WorkerHarness;
  let server: MariadbServer;
  let fileEndpointId: string;

  beforeAll(async () => {
    [harness, server] = await Promise.all([startWorkerHarness(), startMariadb()]);
    fileEndpointId = await harness.addFolder();
    await harness.startWorker();
  });
  afterAll(async () => {
    await Promise.all([harness.stop(), server.stop()]);
  });

  /** A database of its own with 100 orders, and a service and a plan for it. */
  async function shop() {
    const database = `shop_${randomUUID().slice(0, 8)}`;
    const sql = (statements: string) => server.sql(`USE ${database}; ${statements}`);
    await server.sql(`CREATE DATABASE ${database}`);
    await sql(`CREATE TABLE orders (id INT PRIMARY KEY); INSERT INTO orders SELECT seq FROM seq_1_to_100;
      CREATE TABLE prices (id INT PRIMARY KEY); INSERT INTO prices VALUES (1); CREATE VIEW cheap AS SELECT * FROM prices`);
    const serviceId = await harness.addService(server, { databases: [database] });
    const planId = await harness.addPlan(serviceId, fileEndpointId, { style: 'ALL' });
    const backUp = async (request: Partial<BackupRequest> = {}): Promise<BackupJobRow> => {
      const wanted = { serviceId, fileEndpointId, planId, trigger: 'SCHEDULE', ...request } as const;
      const id = await harness.queueBackup(wanted);
      return eventually('the end of the backup', async () => {
        const row = await harness.dataSource.manager.findOneByOrFail(BackupJobTable, { id });
        return row.finishedAt === null ? undefined : row;
      });
    };
    return { database, sql, backUp };
  }

  test('with the previous one of the same plan, and names what changed', async () => {
    const { database, sql, backUp } = await shop();
    const first = await backUp();
    expect(first).toMatchObject({ status: 'SUCCEEDED', changes: null, fall: null });

    await sql(`DELETE FROM orders WHERE id > 2; ALTER TABLE prices ADD name TEXT; DROP VIEW cheap;
      CREATE TABLE news (id INT PRIMARY KEY)`);
    const second = await backUp();
    const sentence = `${database}.orders: 2 rows, −98 %; 1 view gone (${database}.cheap); 1 table new (${database}.news); 1 definition changed (${database}.prices); 3 rows in all, −97 %.`;
    expect(warningsOf(second)).toEqual([]);
    expect(second.changes).toMatchObject({ since: first.id, sentence, rowsBefore: 101, rowsAfter: 3, moreItems: 0 });
    expect(second.changes?.items).toMatchObject([
      { kind: 'tables', name: 'orders', change: 'CHANGED', rowsBefore: 100, rowsAfter: 2, definitionChanged: false },
      { kind: 'views', name: 'cheap', change: 'GONE' },
      { kind: 'tables', name: 'prices', change: 'CHANGED', definitionChanged: true },
      { kind: 'tables', name: 'news', change: 'NEW', rowsBefore: null, rowsAfter: 0 },
    ]);
    expect(backupJobMessage(second)).toMatch(new RegExp(`Since the previous backup: ${database}.orders: 2 rows`));

    expect((await backUp()).changes).toMatchObject({ since: second.id, items: [], fell: false });
    // A backup without a plan has a history of its own.
    expect((await backUp({ planId: null })).changes).toBeNull();
  });

  test('whose inventory is read page by page', async () => {
    const { database, backUp } = await shop();
    const { id } = await backUp();
    const objects: string[] = [];
    for await (const { kind, name, rows, definitionHash } of previousObjects(harness.dataSource.manager, id, 2)) {
      objects.push(`${kind} ${name} ${rows} ${definitionHash === null ? '-' : 'hash'}`);
    }
    expect(objects).toEqual([
      `database ${database} null -`,
      'tables orders 100 hash',
      'tables prices 1 hash',
      'definers root@localhost null -',
      'views cheap null hash',
    ]);
  });

  test('and fails below the threshold of the plan, until a person starts a backup', async () => {
    const { database, sql, backUp } = await shop();
    const first = await backUp({ driftThreshold: half });
    await sql('DELETE FROM orders WHERE id > 40');
    const failed = await backUp({ driftThreshold: half });
    expect(failed).toMatchObject({ status: 'FAILED', attempt: 1, errorCode: 'DRIFT_EXCEEDED', changes: null });
    expect(failed.error?.message).toMatch(
      new RegExp(
        `Fewer than 50 % of the rows remain in ${database}.orders \\(40 of 100\\)\\. All changes: ${database}`,
      ),
    );
    expect(failed.error?.hint).toMatch(/start a backup of the plan by hand/);
    await harness.until(failed.id, 'BackupRemainsRemoved');
    expect(await harness.files()).not.toContainEqual(expect.stringContaining(`-${failed.id.slice(0, 8)}-a1/`));
    expect(await harness.files()).toContainEqual(`${first.folder ?? ''}backup.json`);
    // The failed backup is no base of a comparison, and a retry of a scheduled job follows the rule of its plan.
    const retry = { trigger: 'RETRY', standsFor: 'SCHEDULE', retryOf: failed.id, driftThreshold: half } as const;
    expect(await backUp(retry)).toMatchObject({ status: 'FAILED', errorCode: 'DRIFT_EXCEEDED' });

    const byHand = await backUp({ trigger: 'MANUAL', driftThreshold: half });
    expect(byHand).toMatchObject({ status: 'SUCCEEDED', changes: { since: first.id, rowsAfter: 41 } });
    expect(warningsOf(byHand)).toEqual([expect.stringContaining('Fewer than 50 % of the rows remain in')]);
    const next = await backUp({ driftThreshold: half });
    expect(next).toMatchObject({ status: 'SUCCEEDED', changes: { since: byHand.id, items: [] } });
    expect(warningsOf(next)).toEqual([]);
  });

  test('and warns below a threshold that warns, also if a table is gone', async () => {
    const { database, sql, backUp } = await shop();
    const driftThreshold = { ...half, totalPercent: 90, action: 'WARN' } as const;
    await backUp({ driftThreshold });
    await sql('DROP TABLE orders');
    const warned = await backUp({ driftThreshold });
    expect(warned).toMatchObject({ status: 'SUCCEEDED', changes: { rowsBefore: 101, rowsAfter: 1 } });
    expect(warningsOf(warned)).toEqual([
      expect.stringMatching(
        new RegExp(
          `^The database has fewer rows than the plan allows since the backup of .* UTC\\. Fewer than 50 % of the rows remain in ${database}\\.orders \\(0 of 100\\)\\. Fewer than 90 % of all rows remain \\(1 of 101\\)\\.$`,
        ),
      ),
    ]);
  });

  test('and never fails because of an estimate or an excepted table', async () => {
    const { database, sql, backUp } = await shop();
    const driftThreshold = { ...half, tablePercent: 100, exceptTables: [`${database}.prices`] };
    const first = await backUp({ driftThreshold });
    await harness.dataSource.query(
      `UPDATE backup_jobs SET inventory = jsonb_set(inventory, '{databases,0,tables,0,rowsEstimated}', 'true') WHERE id = $1`,
      [first.id],
    );
    await sql('DELETE FROM orders WHERE id > 40; DELETE FROM prices');
    const second = await backUp({ driftThreshold });
    expect(second).toMatchObject({ status: 'SUCCEEDED', changes: { rowsEstimated: true } });
    expect(warningsOf(second)).toEqual([]);
    expect(second.changes?.sentence).toContain(`${database}.orders: ≈ 40 rows, −60 %`);
  });
});
