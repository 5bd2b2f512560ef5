import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { failed, queuedJob, started, succeeded, executeCommands } from '../../../test/fixtures/backupJobs.js';
import { GraphqlUser, type ReceivedMessages } from '../../../test/fixtures/api/graphqlUser.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { settleProject, type SettledProject } from '../../../test/fixtures/settledProject.js';
import { memberOf } from '../../../test/fixtures/api/sliceApi.js';
import { installationToken, startWholeApi, type WholeApi } from '../../../test/fixtures/api/wholeApi.js';

type State = {
  id: string;
  status: string;
  phase: string | null;
  version: number;
  message: string;
  progress: { readBytes: number } | null;
};
type Change = { kind: string; position: string; job: State | null };

const fields = 'id status phase version message progress { readBytes }';
const limitMs = 120_000;

describeWith({ postgresql: await postgresMissing() }, 'subscriptions to backup jobs', () => {
  let api: WholeApi;
  let settled: SettledProject;
  const users: GraphqlUser[] = [];

  beforeAll(async () => {
    api = await startWholeApi();
    settled = await settleProject(api, 'harbour', 3306);
  });
  afterEach(async () => {
    for (const user of users.splice(0)) await user.close();
  });
  afterAll(() => api.stop());

  const user = (token = installationToken) => {
    const user = new GraphqlUser(api.url, token);
    users.push(user);
    return user;
  };
  const watch = (id: string, by = user()): ReceivedMessages<State> =>
    by.subscribe<State>('backupJob', `subscription ($id: ID!) { backupJob(id: $id) { ${fields} } }`, { id });
  const follow = (variables: object, by = user()): ReceivedMessages<Change> =>
    by.subscribe<Change>(
      'backupJobChanges',
      `subscription ($projectId: ID, $filter: BackupJobFilter, $after: Position, $progress: Boolean! = false) {
         backupJobChanges(projectId: $projectId, filter: $filter, after: $after, progress: $progress) {
           kind position job { ${fields} } } }`,
      { ...variables },
    );
  const queued = async (project = settled) => ({
    id: await queuedJob(api.shared, project.projectId, {
      serviceId: project.serviceId,
      fileEndpointId: project.fileEndpointId,
    }),
    projectId: project.projectId,
  });
  const progress = (id: string, readBytes: number, at = new Date()) =>
    api.shared.telemetry.publish({
      ...{
        jobId: id,
        projectId: settled.projectId,
        kind: 'BACKUP',
        attempt: 1,
        readBytes,
        storedBytes: 1,
        segments: 1,
      },
      ...{ bytesPerSecond: 1, share: null, estimatedEnd: null, at: at.toISOString() },
    });
  const ready = (messages: readonly Change[]) => messages.some(({ kind }) => kind === 'READY');
  const of = (id: string) => (change: Change) => change.job?.id === id;

  test('one job sends its state, every change, every progress step, and the end', async () => {
    const job = await queued();
    const subscription = watch(job.id);
    await subscription.until(([first]) => first?.status === 'QUEUED', limitMs);
    await executeCommands(api.shared, job, started());
    await subscription.until((messages) => messages.at(-1)?.phase === 'PREFLIGHT', limitMs);
    await executeCommands(api.shared, job, {
      kind: 'ENTER_PHASE',
      attempt: 1,
      phase: 'DUMPING',
      at: new Date().toISOString(),
    });
    await subscription.until((messages) => messages.at(-1)?.phase === 'DUMPING', limitMs);
    for (const readBytes of [10, 20]) {
      await progress(job.id, readBytes);
      await subscription.until((messages) => messages.at(-1)?.progress?.readBytes === readBytes, limitMs);
    }
    await executeCommands(api.shared, job, succeeded());
    const messages = await subscription.untilComplete(limitMs);
    expect(messages.map(({ status, phase, progress: at }) => [status, phase, at?.readBytes])).toEqual([
      ['QUEUED', null, undefined],
      ['RUNNING', 'PREFLIGHT', undefined],
      ['RUNNING', 'DUMPING', undefined],
      ['RUNNING', 'DUMPING', 10],
      ['RUNNING', 'DUMPING', 20],
      ['SUCCEEDED', null, undefined],
    ]);
  });

  test('one job that has ended sends its state once and completes', async () => {
    const messages = await watch(settled.storedJobId).untilComplete(limitMs);
    expect(messages).toMatchObject([{ id: settled.storedJobId, status: 'SUCCEEDED' }]);
  });

  test('an unknown job and a job of another project get the same NOT_FOUND', async () => {
    const stranger = user(api.admit(memberOf(randomUUID(), 'ADMIN')));
    const failures = await Promise.all(
      [watch(randomUUID()), watch(settled.storedJobId, stranger), watch('no id')].map((subscription) =>
        subscription.untilComplete(limitMs).catch((error: unknown) => String(error)),
      ),
    );
    expect(new Set(failures)).toEqual(new Set(['Error: NOT_FOUND: There is no such backup job.']));
  });

  test('a list sends the active jobs as SNAPSHOT, READY, then all changes', async () => {
    const project = await settleProject(api, `snapshot ${randomUUID()}`, 3306);
    const subscription = follow({ projectId: project.projectId });
    await subscription.until(ready, limitMs);
    expect(subscription.messages.map(({ kind, job }) => [kind, job?.id])).toEqual([
      ['SNAPSHOT', project.queuedJobId],
      ['READY', undefined],
    ]);
    const job = await queued(project);
    await subscription.until((messages) => messages.some(of(job.id)), limitMs);
    await executeCommands(api.shared, job, started(), failed());
    await subscription.until((messages) => messages.at(-1)?.job?.status === 'FAILED', limitMs);
    expect(
      subscription.messages.slice(2).every(({ kind, job: changed }) => kind === 'CHANGED' && changed?.id === job.id),
    ).toBe(true);
    const positions = subscription.messages.map(({ position }) => BigInt(position));
    expect(positions).toEqual(positions.toSorted((a, b) => Number(a - b)));
    const versions = subscription.messages.flatMap(({ job: changed }) =>
      changed?.id === job.id ? [changed.version] : [],
    );
    expect(versions).toEqual(versions.toSorted((a, b) => a - b));
  });

  test('after a position a list sends each job that changed since then once, in its current state, then READY, then live changes', async () => {
    const project = await settleProject(api, `after ${randomUUID()}`, 3306);
    const after = String(await api.shared.store.head());
    const [one, other] = [await queued(project), await queued(project)];
    await executeCommands(api.shared, one, started(), failed());
    const subscription = follow({ projectId: project.projectId, after });
    await subscription.until(ready, limitMs);
    const since = subscription.messages.filter(({ kind }) => kind !== 'READY');
    // If this process had not yet received changes when the subscription began, they are sent again, live.
    expect(new Set(since.map(({ job }) => `${job?.id ?? ''} ${job?.status ?? ''}`))).toEqual(
      new Set([`${one.id} FAILED`, `${other.id} QUEUED`]),
    );
    await executeCommands(api.shared, other, started());
    await subscription.until((messages) => messages.at(-1)?.job?.status === 'RUNNING', limitMs);
    const last = subscription.messages.at(-1)?.position ?? '';
    const again = follow({ projectId: project.projectId, after: last });
    await again.until(ready, limitMs);
    expect(again.messages.filter(of(one.id))).toEqual([]);
  });

  test('a job that no longer matches is sent one last time, also to a reader that was disconnected meanwhile', async () => {
    const project = await settleProject(api, `filter ${randomUUID()}`, 3306);
    const filter = { status: ['QUEUED'], serviceIds: [project.serviceId] };
    const job = await queued(project);
    const subscription = follow({ filter });
    await subscription.until(ready, limitMs);
    const before = subscription.messages.at(-1)?.position ?? '';
    await executeCommands(api.shared, job, started());
    await subscription.until((messages) => messages.at(-1)?.job?.status === 'RUNNING', limitMs);
    await executeCommands(api.shared, job, failed());
    const marker = await queued(project);
    await subscription.until((messages) => messages.some(of(marker.id)), limitMs);
    expect(subscription.messages.filter(of(job.id)).map((change) => change.job?.status)).toEqual(['QUEUED', 'RUNNING']);
    const late = follow({ filter, after: before });
    await late.until(ready, limitMs);
    expect(late.messages.filter(of(job.id)).map((change) => change.job?.status)).toEqual(['FAILED']);
  });

  test('PROGRESS is sent only on request, and at most once a second for each job', async () => {
    const job = await queued();
    await executeCommands(api.shared, job, started());
    const [withProgress, withoutProgress] = [follow({ progress: true }), follow({})];
    await Promise.all([withProgress.until(ready, limitMs), withoutProgress.until(ready, limitMs)]);
    const now = Date.now();
    for (const [readBytes, after] of [
      [1, 0],
      [2, 100],
      [3, 900],
      [4, 1_000],
    ] as const) {
      await progress(job.id, readBytes, new Date(now + after));
    }
    await withProgress.until(
      (messages) => messages.some(({ kind, job: at }) => kind === 'PROGRESS' && at?.progress?.readBytes === 4),
      limitMs,
    );
    expect(withProgress.messages.filter(({ kind }) => kind === 'PROGRESS').length).toBeLessThanOrEqual(2);
    await executeCommands(api.shared, job, failed());
    await withoutProgress.until((messages) => messages.at(-1)?.job?.status === 'FAILED', limitMs);
    expect(withoutProgress.messages.some(({ kind }) => kind === 'PROGRESS')).toBe(false);
  });

  test('the reader ends with the state of the database, even if jobs change during the snapshot', async () => {
    const project = await settleProject(api, `race ${randomUUID()}`, 3306);
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      for (let round = 0; round < 5; round += 1) {
        const job = await queued(project);
        await executeCommands(api.shared, job, started());
        if ((writer + round) % 3 === 0) await executeCommands(api.shared, job, failed());
        if ((writer + round) % 3 === 1) await executeCommands(api.shared, job, succeeded());
      }
    });
    const readers = Array.from({ length: 4 }, () => follow({ projectId: project.projectId }));
    await Promise.all(writers);
    const marker = await queued(project);
    const rows = await api.shared.dataSource.query<{ id: string; status: string; version: number }[]>(
      "SELECT id, status, version FROM backup_jobs WHERE project_id = $1 AND status IN ('QUEUED', 'RUNNING')",
      [project.projectId],
    );
    for (const reader of readers) {
      await reader.until((messages) => ready(messages) && messages.some(of(marker.id)), limitMs);
      const latest = new Map<string, State>();
      for (const { job } of reader.messages) {
        if (job === null) continue;
        expect(latest.get(job.id)?.version ?? 0).toBeLessThanOrEqual(job.version);
        latest.set(job.id, job);
      }
      const active = [...latest.values()].filter(({ status }) => ['QUEUED', 'RUNNING'].includes(status));
      expect(new Set(active.map(({ id, status, version }) => `${id} ${status} ${version}`))).toEqual(
        new Set(rows.map(({ id, status, version }) => `${id} ${status} ${version}`)),
      );
    }
  });

  test('a position beyond the end of the log is BAD_INPUT', async () => {
    const failure = await follow({ after: '9223372036854775807' }).untilComplete(limitMs).catch(String);
    expect(failure).toMatch(/BAD_INPUT: after: is after the end of the log/);
  });
});
