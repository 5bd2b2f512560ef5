import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../test/fixtures/servers/mariadb.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { eventually, replacing, startWorkerHarness, type WorkerHarness } from '../../../test/fixtures/workerHarness.js';
import { StowageError } from '../../errors.js';
import { decideDeletion, reserveBackup } from '../../backups/backupJobCommands.js';
import { BackupJobTable, type BackupJobRow } from '../../backups/backupJobView.js';
import { backupPlan, type PlanContent } from '../../plans/backupPlan.js';
import type { Worker } from '../worker.js';

describeWith({ postgresql: await postgresMissing(), mariadb: mariadbMissing }, 'Retention', () => {
  let harness: WorkerHarness;
  let server: MariadbServer;
  let serviceId: string;
  const workers: Worker[] = [];

  beforeAll(async () => {
    [harness, server] = await Promise.all([startWorkerHarness(), startMariadb()]);
    await server.sql('CREATE DATABASE shop; CREATE TABLE shop.t (a INT); INSERT INTO shop.t VALUES (1), (2);');
    serviceId = await harness.addService(server);
  });
  afterEach(() => Promise.all(workers.splice(0).map((worker) => worker.stop())));
  afterAll(async () => {
    await Promise.all([harness.stop(), server.stop()]);
  });

  async function startWorker(options?: Parameters<WorkerHarness['startWorker']>[0]): Promise<Worker> {
    const worker = await harness.startWorker(options);
    workers.push(worker);
    return worker;
  }
  const rowOf = (id: string): Promise<BackupJobRow> =>
    harness.dataSource.manager.findOneByOrFail(BackupJobTable, { id });
  const availability = async (ids: readonly string[]) =>
    Promise.all(ids.map(async (id) => (await rowOf(id)).availability));
  const jobOf = (id: string) => ({ id, projectId: harness.projectId });

  /** A plan that keeps `period` files, in a folder of its own. */
  async function destination(path: string, period = 2, prefix = '') {
    const fileEndpointId = await harness.addFolder({ path, prefix });
    const planId = await harness.addPlan(serviceId, fileEndpointId, { style: 'FILES', period });
    const backUp = async (request: object = {}) => {
      const id = await harness.queueBackup({ serviceId, fileEndpointId, planId, trigger: 'SCHEDULE', ...request });
      await harness.until(id, 'BackupSucceeded');
      return id;
    };
    return { fileEndpointId, planId, backUp, file: (name: string) => join(harness.ground.root, path, name) };
  }

  async function changePeriod(planId: string, period: number): Promise<void> {
    const at = new Date().toISOString();
    await harness.transact(async (tx) => {
      const { state } = await tx.load(backupPlan, planId);
      if (state.status === 'NONE') throw new Error('There is no such plan.');
      const content: PlanContent = { ...state.content, retention: { style: 'FILES', period } };
      await tx.execute(backupPlan, jobOf(planId), { kind: 'UPDATE', content, paused: false, at });
    });
  }

  test('deletes the oldest backup beyond the number of the plan, backup.json first; manual backups are neither deleted nor counted', async () => {
    const absentWhenConfirmed: boolean[] = [];
    await startWorker();
    const { backUp } = await destination('two');
    const byHand = await backUp({ trigger: 'MANUAL' });
    const [first, second] = [await backUp(), await backUp()];
    const { folder } = await rowOf(first);
    const watching = harness.feed.subscribe(({ streamId, type }) => {
      if (streamId !== first || type !== 'BackupDeleted') return;
      void harness.files('two').then((names) => {
        absentWhenConfirmed.push(!names.some((name) => name.startsWith(String(folder))));
      });
    });
    const third = await backUp();
    const events = await harness.until(first, 'BackupDeleted');
    expect(events.slice(-2).map(({ type, data }) => [type, (data as { reason?: string }).reason])).toEqual([
      ['BackupDeletionDecided', 'RETENTION'],
      ['BackupDeleted', undefined],
    ]);
    expect(await eventually('the check of the container', () => absentWhenConfirmed[0])).toBe(true);
    watching.close();
    expect(await availability([byHand, first, second, third])).toEqual(['STORED', 'DELETED', 'STORED', 'STORED']);
  });

  test('deletes nothing if the clock of the worker is far ahead, so that all backups seem old', async () => {
    const fileEndpointId = await harness.addFolder({ path: 'ahead' });
    const planId = await harness.addPlan(serviceId, fileEndpointId, { style: 'DAYS', period: 7 });
    const right = await startWorker();
    const ids: string[] = [];
    for (const trigger of ['SCHEDULE', 'CATCH_UP'] as const) {
      const id = await harness.queueBackup({ serviceId, fileEndpointId, planId, trigger });
      await harness.until(id, 'BackupSucceeded');
      ids.push(id);
    }
    await right.stop();
    await startWorker({ now: () => new Date(Date.now() + 40 * 86_400_000), times: { sweep: 300 } });
    await eventually('the refusal in the log', () =>
      harness.logged.find((line) => line.includes('ahead of the clock of PostgreSQL') && line.includes(planId)),
    );
    expect(await availability(ids)).toEqual(['STORED', 'STORED']);
  });

  test('deletes nothing if the newest backup, which replaces the older ones, is missing in the container', async () => {
    await startWorker({ times: { sweep: 300 } });
    const { backUp, planId, file } = await destination('lost', 3);
    const ids = [await backUp(), await backUp(), await backUp()];
    const { folder } = await rowOf(String(ids[2]));
    await rename(file(String(folder)), file('elsewhere'));
    await changePeriod(planId, 2);
    await eventually('the refusal in the log', () =>
      harness.logged.find((line) => line.includes('nothing is deleted') && line.includes(planId)),
    );
    expect(await availability(ids)).toEqual(['STORED', 'STORED', 'STORED']);

    await rename(file('elsewhere'), file(String(folder)));
    await harness.until(String(ids[0]), 'BackupDeleted');
    expect(await availability(ids)).toEqual(['DELETED', 'STORED', 'STORED']);
  });

  test('uses the plan at the time of the decision: it keeps more if the plan changed during the check of the container', async () => {
    let onLook: (() => Promise<void>) | undefined;
    await startWorker({
      times: { sweep: 300 },
      wrapStorage: (storage) =>
        replacing(storage, {
          head: async (name, options) => {
            const listener = onLook;
            onLook = undefined;
            await listener?.();
            return storage.head(name, options);
          },
        }),
    });
    const { backUp, planId } = await destination('reconsidered', 3);
    const ids = [await backUp(), await backUp(), await backUp()];
    const changed = new Promise<void>((resolve) => {
      onLook = () => changePeriod(planId, 3).then(resolve);
    });
    await changePeriod(planId, 1);
    await changed;
    ids.push(await backUp());
    await harness.until(String(ids[0]), 'BackupDeleted');
    expect(await availability(ids)).toEqual(['DELETED', 'STORED', 'STORED', 'STORED']);
  });

  test('does not delete a backup while a restore reads it', async () => {
    await startWorker({ times: { sweep: 300 } });
    const { backUp } = await destination('read');
    const first = await backUp();
    await harness.transact((tx) => reserveBackup(tx, jobOf(first), 'a restore', new Date()));
    const [second, third] = [await backUp(), await backUp()];
    const fourth = await backUp();
    await harness.until(second, 'BackupDeleted');
    expect(await availability([first, second, third, fourth])).toEqual(['STORED', 'DELETED', 'STORED', 'STORED']);
  });

  test('retries later if the container refuses at first; other containers do not wait', async () => {
    const taking = await startWorker();
    const [stuck, free] = [await destination('stuck'), await destination('free')];
    const [one, other] = [await stuck.backUp(), await free.backUp()];
    await taking.stop();
    // The pauses grow with each refusal. So the test refuses exactly twice, and does not depend on the duration of
    // other steps.
    const whenRefused: unknown[] = [];
    await startWorker({
      wrapStorage: (storage) =>
        replacing(storage, {
          delete: async (name, options) => {
            if (whenRefused.length === 2 || !name.includes(`-${one.slice(0, 8)}-`))
              return storage.delete(name, options);
            whenRefused.push((await rowOf(one)).availability);
            throw new StowageError('ENDPOINT_FORBIDDEN', 'It may not be deleted.');
          },
        }),
    });
    for (const id of [one, other]) {
      await harness.transact((tx) =>
        decideDeletion(tx, jobOf(id), { reason: 'BY_HAND', by: 'a person', at: new Date() }),
      );
    }
    await harness.signals.send('work');
    await harness.until(other, 'BackupDeleted');
    await harness.until(one, 'BackupDeleted');
    expect(whenRefused).toEqual(['DELETING', 'DELETING']);
    expect(await harness.files('stuck')).toEqual([]);
  });

  test('deletes nothing while another disk, or none, is mounted at the endpoint’s path; no backup is written there either', async () => {
    await startWorker();
    const { backUp, file, fileEndpointId } = await destination('disk');
    const id = await backUp();
    await rename(file(''), file('../unmounted'));
    await mkdir(file(''));
    await harness.transact((tx) =>
      decideDeletion(tx, jobOf(id), { reason: 'BY_HAND', by: 'a person', at: new Date() }),
    );
    await harness.signals.send('work');
    await eventually('the refusal in the log', () =>
      harness.logged.find((line) => line.includes('could not be deleted') && line.includes(id)),
    );
    expect(await availability([id])).toEqual(['DELETING']);
    const elsewhere = await harness.queueBackup({ serviceId, fileEndpointId });
    const ended = await harness.until(elsewhere, 'BackupFailed');
    expect(ended.at(-1)?.data).toMatchObject({ error: { code: 'ENDPOINT_NOT_FOUND' } });
    expect(await readdir(file(''))).toEqual([]);

    await rm(file(''), { recursive: true });
    await rename(file('../unmounted'), file(''));
    await harness.until(id, 'BackupDeleted');
    expect(await harness.files('disk')).toEqual([]);
  });

  test('never deletes in a prefix that now belongs to another installation', async () => {
    await startWorker();
    const { backUp, file } = await destination('shared', 2, 'team/');
    const id = await backUp();
    const marker = file('team/.stowage.json');
    const ours = await readFile(marker);
    await writeFile(marker, JSON.stringify({ format: 1, installation: 'another' }));
    const before = await harness.files('shared');
    await harness.transact((tx) =>
      decideDeletion(tx, jobOf(id), { reason: 'BY_HAND', by: 'a person', at: new Date() }),
    );
    await harness.signals.send('work');
    await eventually('the refusal in the log', () =>
      harness.logged.find((line) => line.includes('belongs to another Stowage installation')),
    );
    expect(await harness.files('shared')).toEqual(before);
    expect(await availability([id])).toEqual(['DELETING']);

    await writeFile(marker, ours);
    await harness.until(id, 'BackupDeleted');
  });
});
