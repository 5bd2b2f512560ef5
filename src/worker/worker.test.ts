import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { childrenNamed } from '../../test/fixtures/processes/childProcesses.js';
import { killed, spawnWorker } from '../../test/fixtures/processes/spawnedWorker.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../test/fixtures/servers/mariadb.js';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { createGate, eventually, startWorkerHarness, type WorkerHarness } from '../../test/fixtures/workerHarness.js';
import type { RecordedEvent } from '../eventSourcing/event.js';
import { backupJob } from '../backups/backupJob.js';
import { backupHandling } from '../backups/backupJobCommands.js';
import { cancelJob } from '../jobs/jobCommands.js';
import { BackupJobTable } from '../backups/backupJobView.js';
import type { Worker } from './worker.js';
import { kindNames } from '../../test/fixtures/kindNames.js';

const tools = ['mariadb-dump', 'mariadb', 'perl', 'zstd', 'setpriv', 'sh'];

describeWith({ postgresql: await postgresMissing(), mariadb: mariadbMissing }, 'A job outlives its worker', () => {
  let harness: WorkerHarness;
  let server: MariadbServer;
  let serviceId: string;
  let bigServiceId: string;
  let fileEndpointId: string;
  const workers: Worker[] = [];
  const processes: ChildProcess[] = [];

  beforeAll(async () => {
    [harness, server] = await Promise.all([startWorkerHarness(), startMariadb()]);
    await server.sql(`CREATE DATABASE shop; USE shop; CREATE TABLE shop.noise (id INT PRIMARY KEY, b BLOB);
      INSERT INTO shop.noise SELECT seq, RANDOM_BYTES(1024) FROM seq_1_to_1000;
      CREATE DATABASE bulk; CREATE TABLE bulk.noise (id INT PRIMARY KEY, b BLOB);
      INSERT INTO bulk.noise SELECT seq, RANDOM_BYTES(1024) FROM seq_1_to_60000;`);
    // More bytes than the pipes and all threads of the compressor hold, so that the dump runs until its storage reads
    // more.
    bigServiceId = await harness.addService(server, { databases: ['bulk'] });
    serviceId = await harness.addService(server, { databases: ['shop'] });
    fileEndpointId = await harness.addFolder();
  });

  afterEach(async () => {
    for (const child of processes.splice(0)) await killed(child);
    await Promise.all(workers.splice(0).map((worker) => worker.stop()));
    expect(childrenNamed(...tools)).toEqual([]);
  });
  afterAll(async () => {
    await Promise.all([harness.stop(), server.stop()]);
  });

  async function startWorker(options?: Parameters<WorkerHarness['startWorker']>[0]): Promise<Worker> {
    const worker = await harness.startWorker(options);
    workers.push(worker);
    return worker;
  }
  const backUp = (id = serviceId) => harness.queueBackup({ serviceId: id, fileEndpointId });
  const filesOf = async (id: string, attempt: number) =>
    (await harness.files()).filter((name) => name.includes(`-${id.slice(0, 8)}-a${attempt}/`));
  const runOutLease = (id: string) =>
    harness.dataSource.query(
      "UPDATE job_queue SET lease_expires_at = clock_timestamp() - interval '1 second' WHERE job_id = $1",
      [id],
    );

  /** Starts a worker in a separate process, which a test can end with SIGKILL. */
  function startProcess(times: object) {
    const { child, printed } = spawnWorker(harness.ground, { WORKER_TIMES: JSON.stringify(times) });
    processes.push(child);
    return { child, printed };
  }

  test('a job of a killed worker is finished by a later attempt of another worker; the first attempt leaves nothing that looks like a backup', async () => {
    const { child, printed } = startProcess({ lease: 8_000 });
    await printed('ready');
    const id = await backUp(bigServiceId);
    await printed('holding');
    const dumps = await eventually('all tools of the dump run', () => {
      const running = descendants(child.pid ?? 0).filter(({ name }) => tools.includes(name));
      const names = running.map(({ name }) => name).sort();
      return names.join(' ') === 'mariadb-dump perl zstd' ? running : undefined;
    });
    expect(await readdir(harness.ground.workRoot)).not.toEqual([]);
    await killed(child);
    await eventually('every tool of the dead worker is gone', () => (dumps.some(isThere) ? undefined : true));

    await startWorker();
    expect(await readdir(harness.ground.workRoot)).toEqual([]);
    const events = await harness.until(id, 'BackupSucceeded');
    expect(endings(events)).toEqual(['1 WORKER_LOST', '2 SUCCEEDED']);
    expect((await filesOf(id, 1)).filter((name) => name.endsWith('backup.json') || name.endsWith('.zst'))).toEqual([]);
    expect(await filesOf(id, 2)).toContainEqual(expect.stringMatching(/backup\.json$/));
    expect((await harness.telemetry.latest([id])).size).toBe(0);
  });

  test('a worker that was frozen until another held its lease appends nothing when it resumes', async () => {
    const { child, printed } = startProcess({ lease: 8_000, heartbeat: 300 });
    await printed('ready');
    const id = await backUp(bigServiceId);
    await printed('holding');
    child.kill('SIGSTOP');
    await startWorker();
    await harness.until(id, 'BackupSucceeded');
    const dumps = descendants(child.pid ?? 0);
    child.kill('SIGCONT');
    await eventually('the frozen one ends its tools', () => (dumps.some(isThere) ? undefined : true));
    await killed(child);
    expect(endings(await harness.eventsOf(id))).toEqual(['1 WORKER_LOST', '2 SUCCEEDED']);
    expect(await filesOf(id, 2)).toHaveLength(2);
  });

  test('a worker that does not notice the loss of its lease appends nothing, and deletes nothing', async () => {
    const gate = createGate();
    await startWorker({
      id: 'zombie',
      wrapStorage: gate.hold,
      concurrency: 1,
      times: { lease: 600_000, heartbeat: 600_000, reap: 600_000 },
    });
    const id = await backUp();
    await gate.reached;
    await startWorker({ id: 'heir' });
    await runOutLease(id);
    await harness.until(id, 'BackupSucceeded');
    const [before, files] = [await harness.eventsOf(id), await filesOf(id, 2)];
    gate.release();
    await eventually('the zombie has ended', () =>
      harness.logged.find((line) => line.includes(id) && line.includes('"end":"LEASE_LOST"')),
    );
    expect(await harness.eventsOf(id)).toEqual(before);
    expect(endings(before)).toEqual(['1 WORKER_LOST', '2 SUCCEEDED']);
    expect(await filesOf(id, 2)).toEqual(files);
    expect(files).toHaveLength(2);
  });

  test('a worker may run the next attempt while its own lost attempt is still ending', async () => {
    const gate = createGate();
    await startWorker({ wrapStorage: gate.hold, times: { lease: 600_000, heartbeat: 600_000 } });
    const id = await backUp();
    await gate.reached;
    await runOutLease(id);
    await eventually('the second attempt', async () =>
      (await harness.eventsOf(id)).filter(({ type }) => type === 'BackupAttemptStarted').length === 2
        ? true
        : undefined,
    );
    gate.release();
    const events = await harness.until(id, 'BackupSucceeded');
    expect(endings(events)).toEqual(['1 WORKER_LOST', '2 SUCCEEDED']);
    await Promise.all(workers.splice(0).map((worker) => worker.stop()));
    expect(childrenNamed(...tools)).toEqual([]);
  });

  test('a stopped worker hands its job back after its grace time, and another worker finishes it', async () => {
    const gate = createGate();
    const first = await harness.startWorker({ wrapStorage: gate.hold, times: { grace: 0 } });
    const id = await backUp();
    await gate.reached;
    await first.stop();
    gate.release();
    expect(childrenNamed(...tools)).toEqual([]);
    expect(await readdir(harness.ground.workRoot)).toEqual([]);
    expect(await harness.files()).not.toContainEqual(expect.stringContaining(`-${id.slice(0, 8)}-a1/`));
    const { state } = await harness.store.load(backupJob, id);
    expect(state.status).toBe('QUEUED');

    await startWorker();
    const events = await harness.until(id, 'BackupSucceeded');
    expect(endings(events)).toEqual(['1 HANDED_BACK', '2 SUCCEEDED']);
  });

  test('a worker that is stopped with enough grace time finishes its job and claims no more', async () => {
    const gate = createGate();
    const worker = await harness.startWorker({ wrapStorage: gate.hold, concurrency: 1 });
    const [id, next] = [await backUp(), await backUp()];
    await gate.reached;
    const stopped = worker.stop();
    gate.release();
    await stopped;
    expect(endings(await harness.eventsOf(id))).toEqual(['1 SUCCEEDED']);
    expect((await harness.eventsOf(next)).map(({ type }) => type)).toEqual(['BackupQueued']);
    const cancelled = await harness.transact((tx) =>
      cancelJob(tx, harness.queue, backupHandling, { id: next, projectId: harness.projectId }, 'a person', new Date()),
    );
    expect(cancelled).toBe('CANCELLED');
  });

  test.each<[string, number, boolean, readonly string[], string]>([
    ['is tried again', 2, false, ['1 WORKER_LOST'], 'QUEUED'],
    ['is FAILED after the last attempt', 1, false, ['1 WORKER_LOST'], 'FAILED'],
    ['is CANCELLED if this was requested', 2, true, ['1 CANCELLED'], 'CANCELLED'],
  ])('an expired lease ends, and the job %s', async (_what, maxAttempts, cancel, ended, status) => {
    const job = { id: randomUUID(), projectId: harness.projectId };
    const exited = await harness.addService(server);
    const id = await harness.queueBackup({ serviceId: exited, fileEndpointId, maxAttempts });
    await harness.transact(async (tx) => {
      const lease = await harness.queue.claim(tx.manager, 'gone', ['MARIADB'], 1, kindNames);
      expect(lease?.jobId).toBe(id);
      const attempt = { number: 1, worker: 'gone', startedAt: new Date().toISOString(), folder: `gone/${job.id}/` };
      await tx.execute(backupJob, { ...job, id }, { kind: 'START_ATTEMPT', attempt });
    });
    if (cancel) {
      await harness.transact((tx) =>
        cancelJob(tx, harness.queue, backupHandling, { ...job, id }, 'a person', new Date()),
      );
    }
    // It has no engine: it ends expired leases and claims nothing.
    await Promise.all(['a', 'b'].map(() => startWorker({ engines: new Map() })));
    const last = { QUEUED: 'BackupAttemptEnded', FAILED: 'BackupFailed', CANCELLED: 'BackupCancelled' }[status] ?? '';
    const events = await harness.until(id, last);
    expect(endings(events)).toEqual(ended);
    expect(await harness.dataSource.manager.findOneByOrFail(BackupJobTable, { id })).toMatchObject({ status });
    const [queued] = await harness.dataSource.query<{ worker_id: string | null }[]>(
      'SELECT worker_id FROM job_queue WHERE job_id = $1',
      [id],
    );
    expect(queued).toEqual(status === 'QUEUED' ? { worker_id: null } : undefined);
    if (status !== 'QUEUED') return;
    await harness.transact((tx) =>
      cancelJob(tx, harness.queue, backupHandling, { ...job, id }, 'a person', new Date()),
    );
  });
});

/** The attempt and outcome of every attempt that has ended. */
function endings(events: readonly RecordedEvent[]): readonly string[] {
  return events.flatMap(({ type, data }) => {
    const { attempt, outcome } = data as { attempt?: number; outcome?: string };
    if (type === 'BackupAttemptEnded') return [`${attempt} ${outcome}`];
    if (type === 'BackupSucceeded') return [`${attempt} SUCCEEDED`];
    return type === 'BackupCancelled' ? [`${attempt} CANCELLED`] : [];
  });
}

type Descendant = { readonly pid: number; readonly name: string; readonly startedAt: string };

/** All descendants of a process (Linux: /proc). */
function descendants(pid: number): readonly Descendant[] {
  const all = readdirSync('/proc').flatMap((entry) => processOf(entry));
  const below = (parent: number): readonly Descendant[] =>
    all.filter((each) => each.parent === parent).flatMap((each) => [each, ...below(each.pid)]);
  return below(pid);
}

function isThere({ pid, startedAt }: Descendant): boolean {
  return processOf(String(pid)).some((found) => found.startedAt === startedAt);
}

function processOf(entry: string): readonly (Descendant & { readonly parent: number })[] {
  if (!/^\d+$/.test(entry)) return [];
  try {
    const found = /^\d+ \((.*)\) (.*)$/s.exec(readFileSync(`/proc/${entry}/stat`, 'utf8'));
    const [state, parent, ...rest] = (found?.[2] ?? '').split(' ');
    if (state === 'Z' || found === null) return [];
    return [{ pid: Number(entry), name: found[1] ?? '', parent: Number(parent), startedAt: rest[17] ?? '' }];
  } catch {
    return [];
  }
}
