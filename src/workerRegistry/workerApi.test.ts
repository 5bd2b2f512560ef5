import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { started, executeCommands } from '../../test/fixtures/backupJobs.js';
import { Registry } from 'prom-client';
import { GraphqlUser } from '../../test/fixtures/api/graphqlUser.js';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { settleProject, type SettledProject } from '../../test/fixtures/settledProject.js';
import { memberOf } from '../../test/fixtures/api/sliceApi.js';
import { installationToken, startWholeApi, type WholeApi } from '../../test/fixtures/api/wholeApi.js';
import type { WorkerReport } from '../postgres/contracts/workerRegistry.js';
import { restoreJob } from '../restores/restoreJob.js';
import { workerChanges } from './workerChanges.js';
import { workerMetrics } from './workerMetrics.js';
import { kindNames } from '../../test/fixtures/kindNames.js';

type Worker = {
  readonly id: string;
  readonly state: string;
  readonly lastHeardAt: string;
  readonly jobs: readonly { readonly kind: string; readonly backupJob: { readonly id: string } | null }[];
};
type Change = { readonly kind: string; readonly worker: Worker | null };

const fields = `id host pid startedAt lastHeardAt state programVersion concurrency engines { engine tool version }
  jobs { kind phase attempt since backupJob { id status } restoreJob { id status } }`;
const soonMs = 120_000;

describeWith({ postgresql: await postgresMissing() }, 'the workers, for operators,', () => {
  let api: WholeApi;
  let own: SettledProject;
  const users: GraphqlUser[] = [];

  beforeAll(async () => {
    api = await startWholeApi();
    // Nothing is ever sent to port 9.
    own = await settleProject(api, 'Amsterdam', 9);
  });
  afterAll(async () => {
    await Promise.all(users.map((user) => user.close()));
    await api.stop();
  });
  beforeEach(() => sql('DELETE FROM workers'));

  const sql = (statement: string, parameters: unknown[] = []) => api.shared.dataSource.query(statement, parameters);
  const dump = { engine: 'MARIADB', tool: 'mariadb-dump', version: '10.11.6' };
  const report = (change: Partial<WorkerReport> = {}) =>
    api.shared.workers.report({
      ...{ id: 'w', host: 'quay', pid: 7, programVersion: '1.2.3', concurrency: 2, engines: [dump] },
      ...{ draining: false, lostAfterMs: 45_000 },
      ...change,
    });
  const silent = (id: string, interval: string) =>
    sql('UPDATE workers SET last_heard_at = clock_timestamp() - $2::interval WHERE id = $1', [id, interval]);
  const workers = async () => {
    const { data, errors } = await api.post(`{ workers { ${fields} } }`);
    expect(errors).toEqual([]);
    return (data as { workers: Worker[] }).workers;
  };
  const claim = () =>
    api.shared.dataSource.transaction((manager) =>
      api.shared.queue.claim(manager, 'w', ['MARIADB'], 600_000, kindNames),
    );
  const userOf = (token: string) => {
    const user = new GraphqlUser(api.url, token);
    users.push(user);
    return user;
  };
  const watch = (user: GraphqlUser) =>
    user.subscribe<Change>('workerChanges', `subscription { workerChanges { kind worker { ${fields} } } }`, {});

  test('are mentioned in the message of a queued job while no worker runs or no worker has the tools', async () => {
    const messages = async () => {
      const query = `query ($backup: ID!, $restore: ID!) {
        backupJob(id: $backup) { message } restoreJob(id: $restore) { message } }`;
      const { data } = await api.post(query, { backup: own.queuedJobId, restore: own.restoreJobId });
      const jobs = data as Record<'backupJob' | 'restoreJob', { message: string }>;
      return [jobs.backupJob.message, jobs.restoreJob.message];
    };
    for (const message of await messages()) expect(message).toMatch(/^No worker is running/);
    await report({ engines: [] });
    for (const message of await messages()) expect(message).toMatch(/^No running worker has the tools for MARIADB \(/);
    await report();
    expect(await messages()).toEqual(['Waiting for a worker.', 'Waiting for a worker.']);
  });

  test('are visible only to the installation-level token', async () => {
    const member = api.admit(memberOf(own.projectId, 'ADMIN'));
    const { errors, data } = await api.post('{ workers { id } }', {}, member);
    expect([errors[0]?.extensions.code, data]).toEqual(['FORBIDDEN', null]);
    await expect(watch(userOf(member)).untilComplete(soonMs)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  test('are listed with their properties and engines, IDLE, DRAINING and LOST', async () => {
    await report();
    expect(await workers()).toMatchObject([
      {
        ...{ id: 'w', host: 'quay', pid: 7, state: 'IDLE', programVersion: '1.2.3', concurrency: 2 },
        ...{ engines: [dump], jobs: [] },
      },
    ]);
    await report({ draining: true });
    expect(await workers()).toMatchObject([{ state: 'DRAINING' }]);
    await silent('w', '1 minute');
    expect(await workers()).toMatchObject([{ state: 'LOST' }]);
  });

  test('are sent live: SNAPSHOT, READY, BUSY with a backup and its phases, LOST, listed again, and GONE at the end', async () => {
    await report();
    const subscription = watch(userOf(installationToken));
    const change = (test: (worker: Worker) => boolean) =>
      subscription.until((all) => all.some(({ kind, worker }) => kind === 'CHANGED' && worker && test(worker)), soonMs);
    await subscription.until((all) => all.some(({ kind }) => kind === 'READY'), soonMs);
    expect(subscription.messages.slice(0, 2)).toMatchObject([
      { kind: 'SNAPSHOT', worker: { id: 'w', state: 'IDLE' } },
      {},
    ]);
    expect(subscription.messages[1]).toEqual({ kind: 'READY', worker: null });

    await sql("DELETE FROM job_queue WHERE kind = 'RESTORE'");
    await expect(claim()).resolves.toMatchObject({ jobId: own.queuedJobId });
    const job = { id: own.queuedJobId, projectId: own.projectId };
    await executeCommands(api.shared, job, started());
    await change(({ state, jobs }) => state === 'BUSY' && jobs[0]?.backupJob?.id === job.id);
    await executeCommands(api.shared, job, {
      kind: 'ENTER_PHASE',
      attempt: 1,
      phase: 'DUMPING',
      at: new Date().toISOString(),
    });
    await change(({ jobs }) => JSON.stringify(jobs).includes('"phase":"DUMPING"'));
    await report({ id: 'other', host: 'pier' });
    await change(({ id }) => id === 'other');
    await silent('other', '1 minute');
    await change(({ id, state }) => id === 'other' && state === 'LOST');
    await report({ id: 'other', host: 'pier', draining: true });
    await change(({ id, state }) => id === 'other' && state === 'DRAINING');
    await api.shared.workers.leave('other');
    await change(({ id, state, jobs }) => id === 'other' && state === 'GONE' && jobs.length === 0);
    subscription.stop();
  });

  test('are BUSY while they run a restore', async () => {
    await report();
    const job = { id: own.restoreJobId, projectId: own.projectId };
    await sql('DELETE FROM job_queue; UPDATE job_queue_slots SET job_id = NULL');
    await api.shared.store.transact({ actor: 'test', correlationId: randomUUID() }, async (tx) => {
      const queued = { jobId: job.id, kind: 'RESTORE', projectId: job.projectId, serviceId: own.serviceId } as const;
      const at = new Date('2026-01-01T05:00:00Z');
      const times = { dueAt: at, queuedAt: at };
      await api.shared.queue.enqueue(tx.manager, { ...queued, ...times, engine: 'MARIADB', priority: 'RESTORE' });
      await api.shared.queue.claim(tx.manager, 'w', ['MARIADB'], 600_000, kindNames);
      const attempt = { number: 1, worker: 'w', startedAt: at.toISOString() };
      await tx.execute(restoreJob, job, { kind: 'START_ATTEMPT', attempt });
    });
    expect(await workers()).toMatchObject([
      {
        state: 'BUSY',
        jobs: [{ kind: 'RESTORE', attempt: 1, backupJob: null, restoreJob: { id: job.id, status: 'RUNNING' } }],
      },
    ]);
  });

  test('are counted for Prometheus by state, and so are the jobs that no worker can run', async () => {
    await sql(
      "DELETE FROM job_queue; INSERT INTO job_queue (job_id, kind, project_id, service_id, engine, due_at, queued_at) VALUES ('job', 'BACKUP', 'p', 's', 'MONGODB', now(), now())",
    );
    await report();
    await report({ id: 'stopping', draining: true });
    await report({ id: 'lost' });
    await silent('lost', '1 minute');
    const registry = new Registry();
    workerMetrics(registry, api.shared.workers);
    const text = await registry.metrics();
    for (const line of [
      'stowage_workers{state="IDLE"} 1',
      'stowage_workers{state="BUSY"} 0',
      'stowage_workers{state="LOST"} 1',
      'stowage_workers{state="DRAINING"} 1',
      'stowage_jobs_without_worker{engine="MONGODB"} 1',
    ])
      expect(text).toContain(line);
    const broken = new Registry();
    workerMetrics(broken, {
      list: () => Promise.reject(new Error('down')),
      withoutWorker: () => Promise.reject(new Error('down')),
    });
    expect(await broken.metrics()).not.toContain('{');
  });

  test('are read again by a slow reader, which skips states in between and needs no memory', async () => {
    await report();
    const changes = workerChanges(api.shared);
    expect((await changes.next()).value?.kind).toBe('SNAPSHOT');
    expect((await changes.next()).value?.kind).toBe('READY');
    for (let index = 0; index < 50; index += 1) await report({ id: `w${index % 2}` });
    await report({ draining: true });
    const states = [];
    for (let index = 0; index < 3; index += 1) states.push((await changes.next()).value?.sight?.state);
    expect(states.sort()).toEqual(['DRAINING', 'IDLE', 'IDLE']);
    await changes.return?.();
  });
});
