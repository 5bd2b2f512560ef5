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
  const claimForLostWorker = () =>
    harness.transact(async (tx) => {
      const lease = await harness.queue.claim(tx.manager, 'gone', ['MARIADB'], 1, kindNames);
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
