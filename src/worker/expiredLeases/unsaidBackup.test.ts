import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../test/fixtures/servers/mariadb.js';
import { killed, spawnWorker } from '../../../test/fixtures/processes/spawnedWorker.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { eventually, startWorkerHarness, type WorkerHarness } from '../../../test/fixtures/workerHarness.js';
import { BackupJobTable } from '../../backups/backupJobView.js';
import type { Worker } from '../worker.js';

describeWith(
  { postgresql: await postgresMissing(), mariadb: mariadbMissing },
  'A complete backup without a record',
  () => {
    let harness: WorkerHarness;
    let server: MariadbServer;
    const children: ChildProcess[] = [];
    const workers: Worker[] = [];

    beforeAll(async () => {
      [harness, server] = await Promise.all([startWorkerHarness(), startMariadb()]);
      await server.sql('CREATE DATABASE shop; CREATE TABLE shop.t (a INT); INSERT INTO shop.t VALUES (1), (2);');
    });
    afterEach(async () => {
      for (const child of children.splice(0)) await killed(child);
      for (const worker of workers.splice(0)) await worker.stop();
    });
    afterAll(() => Promise.all([harness.stop(), server.stop()]));

    /** A job whose worker, in a separate process, has just stored backup.json and has not recorded it yet. */
    async function unrecordedBackup(holds: 'document' | 'frozen', path: string, maxAttempts: number) {
      const { child, lines, printed } = spawnWorker(harness.ground, {
        // The lease is so long that a busy machine loses nothing. `expire` ends it.
        WORKER_TIMES: JSON.stringify({ lease: 600_000 }),
        WORKER_HOLDS: holds,
      });
      children.push(child);
      const id = await harness.queueBackup({
        serviceId: await harness.addService(server, { databases: ['shop'] }),
        fileEndpointId: await harness.addFolder({ path }),
        maxAttempts,
      });
      await printed('holding');
      return { id, child, lines };
    }
    const expire = (id: string) =>
      harness.dataSource.query(
        `UPDATE job_queue SET lease_expires_at = clock_timestamp() - interval '1 second' WHERE job_id = $1`,
        [id],
      );
    const rowOf = (id: string) => harness.dataSource.manager.findOneByOrFail(BackupJobTable, { id });
    async function startOther(): Promise<void> {
      workers.push(await harness.startWorker({ id: 'other', times: { lease: 600_000 } }));
    }

    test.each([1, 3])(
      'with at most %i attempts is adopted if its worker was killed between backup.json and the event',
      async (maxAttempts) => {
        const path = `killed-${maxAttempts}`;
        const { id, child } = await unrecordedBackup('document', path, maxAttempts);
        await killed(child);
        const files = await harness.files(path);
        expect(files).toHaveLength(2);
        await expire(id);
        await startOther();

        const events = await harness.until(id, 'BackupSucceeded');
        expect(events.filter(({ type }) => type !== 'BackupPhaseEntered').map(({ type }) => type)).toEqual([
          'BackupQueued',
          'BackupAttemptStarted',
          'BackupSucceeded',
        ]);
        const lastEvent = events.at(-1);
        expect(lastEvent).toMatchObject({
          metadata: { actor: 'worker:other' },
          data: { attempt: 1, adoptedBy: 'other' },
        });
        const row = await rowOf(id);
        const document = JSON.parse(
          await readFile(join(harness.ground.root, path, String(row.folder), 'backup.json'), 'utf8'),
        ) as { finishedAt: string; description: { startedAt: string }; inventory: unknown; sizeBytes: number };
        expect(row).toMatchObject({
          status: 'SUCCEEDED',
          availability: 'STORED',
          attemptsWithRemains: [],
          error: null,
        });
        const { inventory, sizeBytes } = document;
        expect(lastEvent?.data).toMatchObject({ result: { folder: row.folder, inventory, sizeBytes } });
        expect([row.startedAt, row.finishedAt]).toEqual([
          new Date(document.description.startedAt),
          new Date(document.finishedAt),
        ]);
        expect(row.attempts).toMatchObject([
          { number: 1, worker: 'process', outcome: 'SUCCEEDED', adoptedBy: 'other' },
        ]);
        expect(await harness.files(path)).toEqual(files);

        const target = await startMariadb();
        try {
          const restore = await harness.queueRestore(id, await harness.addService(target));
          await harness.until(restore, 'RestoreSucceeded');
          expect((await target.sql('SELECT a FROM shop.t ORDER BY a')).split(/\s+/).filter(Boolean)).toEqual([
            '1',
            '2',
          ]);
        } finally {
          await target.stop();
        }
      },
      150_000,
    );

    test('is not changed by a frozen worker that resumes after the adoption', async () => {
      const { id, child, lines } = await unrecordedBackup('frozen', 'frozen', 3);
      await expire(id);
      await startOther();
      const before = await harness.until(id, 'BackupSucceeded');
      const files = await harness.files('frozen');

      child.kill('SIGCONT');
      const end = await eventually('its attempt ends', () => lines.find((line) => line.startsWith('ended')));
      expect(end).toBe('ended LEASE_LOST');
      expect(await harness.eventsOf(id)).toEqual(before);
      expect(before.at(-1)?.data).toMatchObject({ adoptedBy: 'other' });
      expect(await harness.files('frozen')).toEqual(files);
      expect(files).toHaveLength(2);
    });

    test('is recorded by a frozen worker that resumes before its lease expires, and by no other worker', async () => {
      const { id, child } = await unrecordedBackup('frozen', 'woken', 3);
      await startOther();
      child.kill('SIGCONT');
      const events = await harness.until(id, 'BackupSucceeded');
      expect(events.at(-1)?.metadata.actor).toBe('worker:process');
      expect((await rowOf(id)).attempts.map(({ outcome, adoptedBy }) => [outcome, adoptedBy])).toEqual([
        ['SUCCEEDED', undefined],
      ]);
    });
  },
);
