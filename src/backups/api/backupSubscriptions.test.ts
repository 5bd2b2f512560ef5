import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { failed, queuedJob, started, succeeded, told } from '../../../test/fixtures/backupJobs.js';
import { GraphqlUser, type Listening } from '../../../test/fixtures/api/graphqlUser.js';
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
    for (const user of users.splice(0)) await user.leave();
  });
  afterAll(() => api.stop());

  const user = (token = installationToken) => {
    const made = new GraphqlUser(api.url, token);
    users.push(made);
    return made;
  };
  const watch = (id: string, by = user()): Listening<State> =>
    by.listen<State>('backupJob', `subscription ($id: ID!) { backupJob(id: $id) { ${fields} } }`, { id });
  const follow = (variables: object, by = user()): Listening<Change> =>
    by.listen<Change>(
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
  const ready = (heard: readonly Change[]) => heard.some(({ kind }) => kind === 'READY');
  const of = (id: string) => (change: Change) => change.job?.id === id;

  test('one job sends its state, every change, every progress step, and the end', async () => {
    const job = await queued();
    const listening = watch(job.id);
    await listening.until(([first]) => first?.status === 'QUEUED', limitMs);
    await told(api.shared, job, started());
    await listening.until((heard) => heard.at(-1)?.phase === 'PREFLIGHT', limitMs);
    await told(api.shared, job, { kind: 'ENTER_PHASE', attempt: 1, phase: 'DUMPING', at: new Date().toISOString() });
    await listening.until((heard) => heard.at(-1)?.phase === 'DUMPING', limitMs);
    for (const readBytes of [10, 20]) {
      await progress(job.id, readBytes);
      await listening.until((heard) => heard.at(-1)?.progress?.readBytes === readBytes, limitMs);
    }
    await told(api.shared, job, succeeded());
    const heard = await listening.untilComplete(limitMs);
    expect(heard.map(({ status, phase, progress: at }) => [status, phase, at?.readBytes])).toEqual([
      ['QUEUED', null, undefined],
      ['RUNNING', 'PREFLIGHT', undefined],
      ['RUNNING', 'DUMPING', undefined],
      ['RUNNING', 'DUMPING', 10],
      ['RUNNING', 'DUMPING', 20],
      ['SUCCEEDED', null, undefined],
    ]);
  });

  test('one job that has ended sends its state once and completes', async () => {
    const heard = await watch(settled.storedJobId).untilComplete(limitMs);
    expect(heard).toMatchObject([{ id: settled.storedJobId, status: 'SUCCEEDED' }]);
  });

  test('an unknown job and a job of another project get the same NOT_FOUND', async () => {
    const stranger = user(api.admit(memberOf(randomUUID(), 'ADMIN')));
    const failures = await Promise.all(
      [watch(randomUUID()), watch(settled.storedJobId, stranger), watch('no id')].map((listening) =>
        listening.untilComplete(limitMs).catch((error: unknown) => String(error)),
      ),
    );
    expect(new Set(failures)).toEqual(new Set(['Error: NOT_FOUND: There is no such backup job.']));
  });

  test('a list sends the active jobs as SNAPSHOT, READY, then all changes', async () => {
    const project = await settleProject(api, `snapshot ${randomUUID()}`, 3306);
    const listening = follow({ projectId: project.projectId });
    await listening.until(ready, limitMs);
    expect(listening.heard.map(({ kind, job }) => [kind, job?.id])).toEqual([
      ['SNAPSHOT', project.queuedJobId],
      ['READY', undefined],
    ]);
    const job = await queued(project);
    await listening.until((heard) => heard.some(of(job.id)), limitMs);
    await told(api.shared, job, started(), failed());
    await listening.until((heard) => heard.at(-1)?.job?.status === 'FAILED', limitMs);
    expect(
      listening.heard.slice(2).every(({ kind, job: changed }) => kind === 'CHANGED' && changed?.id === job.id),
    ).toBe(true);
    const positions = listening.heard.map(({ position }) => BigInt(position));
    expect(positions).toEqual(positions.toSorted((a, b) => Number(a - b)));
    const versions = listening.heard.flatMap(({ job: changed }) => (changed?.id === job.id ? [changed.version] : []));
    expect(versions).toEqual(versions.toSorted((a, b) => a - b));
  });

  test('after a position a list sends each job that changed since then once, in its current state, then READY, then live changes', async () => {
    const project = await settleProject(api, `after ${randomUUID()}`, 3306);
    const after = String(await api.shared.store.head());
    const [one, other] = [await queued(project), await queued(project)];
    await told(api.shared, one, started(), failed());
    const listening = follow({ projectId: project.projectId, after });
    await listening.until(ready, limitMs);
    const since = listening.heard.filter(({ kind }) => kind !== 'READY');
    // Changes of which this process had no notification when the subscription began are sent again, live.
    expect(new Set(since.map(({ job }) => `${job?.id ?? ''} ${job?.status ?? ''}`))).toEqual(
      new Set([`${one.id} FAILED`, `${other.id} QUEUED`]),
    );
    await told(api.shared, other, started());
    await listening.until((heard) => heard.at(-1)?.job?.status === 'RUNNING', limitMs);
    const last = listening.heard.at(-1)?.position ?? '';
    const again = follow({ projectId: project.projectId, after: last });
    await again.until(ready, limitMs);
    expect(again.heard.filter(of(one.id))).toEqual([]);
  });

  test('a job that no longer matches is sent one last time, also to a reader that was disconnected meanwhile', async () => {
    const project = await settleProject(api, `filter ${randomUUID()}`, 3306);
    const filter = { status: ['QUEUED'], serviceIds: [project.serviceId] };
    const job = await queued(project);
    const listening = follow({ filter });
    await listening.until(ready, limitMs);
    const before = listening.heard.at(-1)?.position ?? '';
    await told(api.shared, job, started());
    await listening.until((heard) => heard.at(-1)?.job?.status === 'RUNNING', limitMs);
    await told(api.shared, job, failed());
    const marker = await queued(project);
    await listening.until((heard) => heard.some(of(marker.id)), limitMs);
    expect(listening.heard.filter(of(job.id)).map((change) => change.job?.status)).toEqual(['QUEUED', 'RUNNING']);
    const late = follow({ filter, after: before });
    await late.until(ready, limitMs);
    expect(late.heard.filter(of(job.id)).map((change) => change.job?.status)).toEqual(['FAILED']);
  });

  test('PROGRESS is sent only on request, and at most once a second for each job', async () => {
    const job = await queued();
    await told(api.shared, job, started());
    const [asked, not] = [follow({ progress: true }), follow({})];
    await Promise.all([asked.until(ready, limitMs), not.until(ready, limitMs)]);
    const now = Date.now();
    for (const [readBytes, after] of [
      [1, 0],
      [2, 100],
      [3, 900],
      [4, 1_000],
    ] as const) {
      await progress(job.id, readBytes, new Date(now + after));
    }
    await asked.until(
      (heard) => heard.some(({ kind, job: at }) => kind === 'PROGRESS' && at?.progress?.readBytes === 4),
      limitMs,
    );
    expect(asked.heard.filter(({ kind }) => kind === 'PROGRESS').length).toBeLessThanOrEqual(2);
    await told(api.shared, job, failed());
    await not.until((heard) => heard.at(-1)?.job?.status === 'FAILED', limitMs);
    expect(not.heard.some(({ kind }) => kind === 'PROGRESS')).toBe(false);
  });

  test('the reader ends with the state of the database, whatever changes during the snapshot', async () => {
    const project = await settleProject(api, `race ${randomUUID()}`, 3306);
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      for (let round = 0; round < 5; round += 1) {
        const job = await queued(project);
        await told(api.shared, job, started());
        if ((writer + round) % 3 === 0) await told(api.shared, job, failed());
        if ((writer + round) % 3 === 1) await told(api.shared, job, succeeded());
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
      await reader.until((heard) => ready(heard) && heard.some(of(marker.id)), limitMs);
      const latest = new Map<string, State>();
      for (const { job } of reader.heard) {
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
    expect(failure).toMatch(/BAD_INPUT: after: lies beyond/);
  });
});
