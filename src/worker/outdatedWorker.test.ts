import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { describeWith } from '../../test/fixtures/requirements.js';
import { mariadbMissing } from '../../test/fixtures/servers/mariadb.js';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';
import { eventually, startWorkerHarness, type WorkerHarness } from '../../test/fixtures/workerHarness.js';

// The worker needs MariaDB's tools to claim jobs. No server is started.
const needs = { mariadb: mariadbMissing, postgresql: await postgresMissing() };

describeWith(needs, 'a worker that is older than the schema', () => {
  let harness: WorkerHarness;
  beforeAll(async () => (harness = await startWorkerHarness()));
  afterAll(() => harness.stop());

  test('postpones no job: updated workers claim it at once', async () => {
    const nobody = { port: 1, username: 'nobody', password: 'none' } as Parameters<WorkerHarness['addService']>[0];
    const serviceId = await harness.addService(nobody);
    const id = await harness.queueBackup({ serviceId, fileEndpointId: await harness.addFolder() });
    const owner = await harness.postgres.connect(harness.postgres.ownerUrl);
    await owner.query(`INSERT INTO schema_migrations ("timestamp", name) VALUES (9999999999999, 'Tomorrow')`);
    await harness.startWorker();
    const refusals = () => harness.logged.filter((line) => line.includes('This replica is older')).length;
    await eventually('its claims were refused twice', () => (refusals() >= 2 ? true : undefined));
    const rows: unknown = await owner.query(
      'SELECT put_off, worker_id, due_at = queued_at AS is_due FROM job_queue WHERE job_id = $1',
      [id],
    );
    expect(rows).toEqual([{ put_off: 0, worker_id: null, is_due: true }]);
    expect(harness.logged.filter((line) => line.includes('it is postponed'))).toEqual([]);

    const putOff = harness.dataSource.transaction((manager) => harness.queue.putOff(manager, id, 1_000));
    await expect(putOff).rejects.toMatchObject({ code: 'SW001' });
  });
});
