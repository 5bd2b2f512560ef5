import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { started, succeeded, executeCommands } from '../../../test/fixtures/backupJobs.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../test/fixtures/servers/mariadb.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { startWorkerHarness, type WorkerHarness } from '../../../test/fixtures/workerHarness.js';
import { restoreJob } from '../../restores/restoreJob.js';
import type { Worker } from '../worker.js';
import { kindNames } from '../../../test/fixtures/kindNames.js';

describeWith({ postgresql: await postgresMissing(), mariadb: mariadbMissing }, 'Lost jobs', () => {
  let harness: WorkerHarness;
  let server: MariadbServer;
  /** A server that accepts connections and never answers. */
  let silent: Server;
  let fileEndpointId: string;
  let worker: Worker | undefined;

  beforeAll(async () => {
    silent = createServer().listen(0, '127.0.0.1');
    [harness, server] = await Promise.all([startWorkerHarness(), startMariadb(), once(silent, 'listening')]);
    fileEndpointId = await harness.addFolder();
  });
  afterAll(async () => {
    await worker?.stop();
    silent.close();
    await Promise.all([harness.stop(), server.stop()]);
  });

  /** Claims the job that was queued last, for a worker that never reports again. */
  const claimForLostWorker = (name = 'gone') =>
    harness.transact(async (tx) => {
      const lease = await harness.queue.claim(tx.manager, name, ['MARIADB'], 1, kindNames);
      if (lease === undefined) throw new Error('Nothing was claimed.');
      return lease;
    });

  async function storedBackup(serviceId: string): Promise<string> {
    const id = await harness.queueBackup({ serviceId, fileEndpointId });
    await executeCommands(harness, { id, projectId: harness.projectId }, started(), succeeded());
    await harness.transact((tx) => harness.queue.remove(tx.manager, id));
    return id;
  }

  async function lostRestore(backupId: string, port: number): Promise<string> {
    const id = await harness.queueRestore(backupId, await harness.addService(server, { port }));
    const { attempt } = await claimForLostWorker();
    const job = { id, projectId: harness.projectId };
    const at = new Date().toISOString();
    await harness.transact(async (tx) => {
      await tx.execute(restoreJob, job, {
        kind: 'START_ATTEMPT',
        attempt: { number: attempt, worker: 'gone', startedAt: at },
      });
      await tx.execute(restoreJob, job, { kind: 'START_TOOL', attempt, databases: ['shop'], at });
    });
    return id;
  }

  test.each([
    ['no longer reports (the job may be the reason)', 'BackupFailed'],
    ['still reports (it only lost its connection)', 'BackupSucceeded'],
  ] as const)(
    'end after the loss of a second worker, and are tried again only if the first worker %s',
    async (why, end) => {
      if (end === 'BackupSucceeded') {
        await harness.workers.report({
          ...{ id: 'first', host: 'quay', pid: 7, programVersion: '1', concurrency: 1, engines: [], draining: false },
          lostAfterMs: 600_000,
        });
      }
      await server.sql('CREATE DATABASE IF NOT EXISTS kept; CREATE TABLE IF NOT EXISTS kept.t (a INT);');
      const id = await harness.queueBackup({ serviceId: await harness.addService(server), fileEndpointId });
      const job = { id, projectId: harness.projectId };
      const at = new Date().toISOString();
      const start = (number: number, worker: string) =>
        ({ kind: 'START_ATTEMPT', attempt: { number, worker, startedAt: at, folder: `folder-a${number}/` } }) as const;
      const error = { code: 'WORKER_LOST', message: 'Lost.', hint: null, toolOutput: null, retriable: true };
      const lost = { kind: 'FAIL_ATTEMPT', attempt: 1, outcome: 'WORKER_LOST', error, at, retryAt: at } as const;
      const first = await claimForLostWorker('first');
      await executeCommands(harness, job, start(1, 'first'), lost);
      await harness.transact((tx) => harness.queue.requeue(tx.manager, first, new Date()));
      await claimForLostWorker('second');
      await executeCommands(harness, job, start(2, 'second'));

      const reaper = await harness.startWorker();
      const events = await harness.until(id, end);
      await reaper.stop();
      if (end === 'BackupFailed') {
        expect(events.at(-1)?.data).toMatchObject({ error: { code: 'WORKERS_LOST', retriable: false } });
      }
    },
  );

  test('end even if the targets of restores that were lost earlier do not respond', async () => {
    const serviceId = await harness.addService(server);
    const backupId = await storedBackup(serviceId);
    const { port } = silent.address() as AddressInfo;
    const dead: string[] = [];
    for (let count = 0; count < 7; count += 1) dead.push(await lostRestore(backupId, port));
    const restore = await lostRestore(backupId, server.port);
    const backup = await harness.queueBackup({ serviceId, fileEndpointId });
    await claimForLostWorker();
    await executeCommands(harness, { id: backup, projectId: harness.projectId }, started());

    worker = await harness.startWorker();
    await Promise.all([harness.until(backup, 'BackupAttemptEnded'), harness.until(restore, 'RestoreFailed')]);
    for (const id of dead) {
      const { state } = await harness.store.load(restoreJob, id);
      expect(state.status).toBe('RUNNING');
    }
  });
});
