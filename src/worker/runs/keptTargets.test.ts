import type { ChildProcess } from 'node:child_process';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { descendantsOf } from '../../../test/fixtures/processes/childProcesses.js';
import { killed, spawnWorker } from '../../../test/fixtures/processes/spawnedWorker.js';
import { holdLock } from '../../../test/fixtures/heldLock.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../test/fixtures/servers/mariadb.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { startTcpProxy, type TcpProxy } from '../../../test/fixtures/servers/tcpProxy.js';
import { eventually, startWorkerHarness, type WorkerHarness } from '../../../test/fixtures/workerHarness.js';
import { eventSummary } from '../../history/eventSummary.js';
import { backupJob } from '../../backups/backupJob.js';
import { BackupJobTable } from '../../backups/backupJobView.js';
import { cancelJob } from '../../jobs/jobCommands.js';
import { restoreHandling } from '../../restores/restoreJobCommands.js';
import { restoreJobMessage } from '../../restores/restoreJobMessage.js';
import { RestoreJobTable } from '../../restores/restoreJobView.js';
import { restoreUnderWay } from '../../restores/restoreUnderWay.js';
import type { Worker } from '../worker.js';

const tools = ['mariadb', 'zstd', 'setpriv', 'sh', 'perl'];

describeWith(
  { postgresql: await postgresMissing(), mariadb: mariadbMissing },
  'A restore that is cancelled while its target accepts connections and never answers',
  () => {
    let harness: WorkerHarness;
    let source: MariadbServer;
    let target: MariadbServer;
    let targetLine: TcpProxy;
    let serviceId: string;
    let targetServiceId: string;
    let fileEndpointId: string;
    let backup: string;
    const workers: Worker[] = [];
    const processes: ChildProcess[] = [];
    const releases: (() => Promise<void>)[] = [];

    beforeAll(async () => {
      [harness, source, target] = await Promise.all([startWorkerHarness(), startMariadb(), startMariadb()]);
      await source.sql('CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY)');
      targetLine = await startTcpProxy(target.port);
      serviceId = await harness.addService(source);
      targetServiceId = await harness.addService({ ...target, port: targetLine.port });
      fileEndpointId = await harness.addFolder();
      await startWorker();
      backup = await backUp(serviceId);
      await harness.until(backup, 'BackupSucceeded');
      await stopWorkers();
    });
    afterEach(async () => {
      await stopWorkers();
      for (const child of processes.splice(0)) await killed(child);
      await targetLine.heal();
      targetLine.reset();
      await releaseLocks();
      await target.sql('DROP DATABASE IF EXISTS shop');
    });
    afterAll(async () => {
      await harness.stop();
      await targetLine.stop();
      await Promise.all([source.stop(), target.stop()]);
    });

    async function startWorker(id?: string): Promise<Worker> {
      const worker = await harness.startWorker({ concurrency: 1, ...(id === undefined ? {} : { id }) });
      workers.push(worker);
      return worker;
    }
    const stopWorkers = () => Promise.all(workers.splice(0).map((worker) => worker.stop()));
    const releaseLocks = () => Promise.all(releases.splice(0).map((release) => release()));
    const backUp = (id: string) => harness.queueBackup({ serviceId: id, fileEndpointId });
    const restore = () => harness.queueRestore(backup, targetServiceId, 1, 600_000);
    const rowOf = (id: string) => harness.dataSource.manager.findOneByOrFail(RestoreJobTable, { id });
    const backupOf = (id: string) => harness.dataSource.manager.findOneByOrFail(BackupJobTable, { id });
    const cancel = async (id: string) => {
      const job = { id, projectId: harness.projectId };
      const status = await harness.transact((tx) =>
        cancelJob(tx, harness.queue, restoreHandling, job, 'a person', new Date()),
      );
      await harness.signals.send('cancel', id);
      return status;
    };
    const isTargetUsedBy = async (id: string) => {
      const uses = 'SELECT FROM entity_uses WHERE entity_id = $1 AND user_id = $2';
      return (await harness.dataSource.query<unknown[]>(uses, [targetServiceId, id])).length > 0;
    };

    /** Starts a worker in a separate process, which a test can end with SIGKILL. */
    async function startProcess(): Promise<ChildProcess> {
      const { child, printed } = spawnWorker(harness.ground);
      processes.push(child);
      await printed('ready');
      return child;
    }

    /** The session of a restore on the target, during a statement that waits there for a lock of another session. */
    async function stuckRestore(): Promise<{ readonly id: string; readonly isThere: () => Promise<boolean> }> {
      releases.push(await holdLock(target, 'FLUSH TABLES WITH READ LOCK'));
      const id = await restore();
      const waiting = "FROM information_schema.processlist WHERE user = 'stowage' AND state LIKE 'Waiting%'";
      const session = await eventually('a statement of the restore waits on the target', async () => {
        const found = (await target.sql(`SELECT id ${waiting}`)).trim();
        return found === '' ? undefined : found;
      });
      const isThere = async () =>
        (await target.sql(`SELECT id FROM information_schema.processlist WHERE id = ${session}`)).trim() === session;
      return { id, isThere };
    }

    /** The restore is cancelled while the target does not answer but still executes statements. */
    async function cancelledInSilence() {
      const stuck = await stuckRestore();
      targetLine.freeze();
      await cancel(stuck.id);
      const events = await harness.until(stuck.id, 'RestoreCancelled');
      expect(events.at(-1)?.data).toMatchObject({ attempt: 1, targetTouched: true, targetLocked: true });
      expect(await stuck.isThere()).toBe(true);
      return stuck;
    }

    test('is CANCELLED at once; other jobs wait until its sessions have ended, and show the reason', async () => {
      await startWorker();
      const { id, isThere } = await cancelledInSilence();
      expect(descendantsOf(process.pid).filter(({ name }) => tools.includes(name))).toHaveLength(releases.length);
      const { state } = await harness.store.load(backupJob, backup);
      expect(state).toMatchObject({ readers: [] });

      expect(await cancel(id)).toBe('CANCELLED');
      const row = await rowOf(id);
      expect(row).toMatchObject({ status: 'CANCELLED', targetLocked: true });
      expect(restoreJobMessage(row)).toMatch(/may hold a part of the data\. The target does not answer yet/);
      expect(await restoreUnderWay(harness.dataSource.manager, targetServiceId)).toBe(true);
      expect(await isTargetUsedBy(id)).toBe(true);

      const [nextRestore, nextBackup] = [await restore(), await backUp(targetServiceId)];
      await harness.until(await backUp(serviceId), 'BackupSucceeded');
      const why = await harness.workers.whyWaiting([nextRestore, nextBackup]);
      for (const waiting of [nextRestore, nextBackup]) {
        expect(why.get(waiting)).toMatchObject({ kind: 'SERVICE_KEPT' });
        expect(await harness.eventsOf(waiting)).toHaveLength(1);
      }
      expect(await isThere()).toBe(true);

      await targetLine.heal();
      const events = await harness.until(id, 'RestoreTargetFreed');
      await eventually('the session has ended', async () => ((await isThere()) ? undefined : true));
      expect(events.slice(-2).map(eventSummary)).toEqual([
        expect.stringMatching(/stays locked until our sessions there have ended\.$/),
        expect.stringMatching(/^Our sessions on the target have ended/),
      ]);
      await releaseLocks();
      await harness.until(nextRestore, 'RestoreSucceeded');
      await harness.until(nextBackup, 'BackupSucceeded');
      expect((await backupOf(nextBackup)).status).toBe('SUCCEEDED');
      expect(await rowOf(id)).toMatchObject({ status: 'CANCELLED', targetLocked: false });
      expect(await harness.eventsOf(id)).toHaveLength(events.length);
    });

    test('is unlocked by another worker if its own worker was killed after the cancellation', async () => {
      const child = await startProcess();
      const { id, isThere } = await cancelledInSilence();
      await killed(child);
      expect(await isThere()).toBe(true);
      await startWorker('heir');
      await targetLine.heal();
      const events = await harness.until(id, 'RestoreTargetFreed');
      expect(events.at(-1)).toMatchObject({ data: { sessionsEnded: true }, metadata: { actor: 'worker:heir' } });
      await eventually('the session has ended', async () => ((await isThere()) ? undefined : true));
      expect(await isTargetUsedBy(id)).toBe(false);
    });

    test('does not prevent a worker from stopping, and its target stays locked no longer than the limit', async () => {
      const worker = await startWorker();
      const { id } = await cancelledInSilence();
      await worker.stop();
      const next = await restore();
      const setOverdue = 'UPDATE job_queue_slots SET kept_until = clock_timestamp() WHERE job_id = $1';
      await harness.dataSource.query(setOverdue, [id]);
      await startWorker();
      const events = await harness.until(id, 'RestoreTargetFreed');
      expect(events.at(-1)?.data).toMatchObject({ sessionsEnded: false });
      expect((await rowOf(id)).warnings.join()).toMatch(/no longer answers/);
      await harness.until(next, 'RestoreAttemptStarted');
      await cancel(next);
      await harness.until(next, 'RestoreCancelled');
      expect(await isTargetUsedBy(id)).toBe(false);
    });
  },
);
