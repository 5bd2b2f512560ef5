import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { eachOnSmallDisk } from '../../../test/fixtures/eachOnSmallDisk.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../test/fixtures/servers/mariadb.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { mountsMissing } from '../../../test/fixtures/smallDisk.js';
import { startWorkerHarness, type WorkerHarness } from '../../../test/fixtures/workerHarness.js';
import type { Worker } from '../worker.js';

describeWith(
  { postgresql: await postgresMissing(), mariadb: mariadbMissing, mounts: mountsMissing },
  'A restore whose worker has no room for its temporary files',
  () => {
    let harness: WorkerHarness;
    let server: MariadbServer;
    let target: MariadbServer;
    let targetServiceId: string;
    let backup: string;
    let worker: Worker | undefined;
    const diskOfNow = eachOnSmallDisk();

    beforeAll(async () => {
      [harness, server, target] = await Promise.all([startWorkerHarness(), startMariadb(), startMariadb()]);
      await server.sql('CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY)');
      targetServiceId = await harness.addService(target);
      const first = await harness.startWorker();
      const [serviceId, fileEndpointId] = [await harness.addService(server), await harness.addFolder()];
      backup = await harness.queueBackup({ serviceId, fileEndpointId });
      await harness.until(backup, 'BackupSucceeded');
      await first.stop();
    });
    afterEach(async () => {
      await worker?.stop();
      worker = undefined;
      await target.sql('DROP DATABASE IF EXISTS shop');
    });
    afterAll(async () => {
      await harness.stop();
      await Promise.all([server.stop(), target.stop()]);
    });

    // A restore needs 4 files: its own folder, the login file, and two pipes.
    test.each([0, 1, 2, 3])(
      'and only %i files is retried until there is room, and no tool starts before',
      async (files) => {
        const disk = diskOfNow();
        await disk.takeInodes(files);
        worker = await harness.startWorker({ ground: { ...harness.ground, workRoot: disk.folder } });
        const id = await harness.queueRestore(backup, targetServiceId, 50);
        const failed = await harness.until(id, 'RestoreAttemptEnded');
        expect(failed.find(({ type }) => type === 'RestoreAttemptEnded')?.data).toMatchObject({
          outcome: 'FAILED',
          error: { code: 'UNAVAILABLE', retriable: true, message: expect.stringContaining('no space left') },
        });
        await disk.free();
        const events = (await harness.until(id, 'RestoreSucceeded')).map(({ type }) => type);
        expect(events.filter((type) => type === 'RestoreToolStarted')).toHaveLength(1);
        expect(events.lastIndexOf('RestoreAttemptEnded')).toBeLessThan(events.indexOf('RestoreToolStarted'));
        expect(await disk.entries()).toEqual([]);
      },
    );
  },
);
