/**
 * A database in the state that versions before schema 2 of the error events left: it contains rows of a customer's
 * table.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ErrorsWithoutData1700000000230 } from '../../migrations/1700000000230-errorsWithoutData.js';
import { GraphqlUser } from '../../test/fixtures/api/graphqlUser.js';
import { installationToken, startWholeApi, type WholeApi } from '../../test/fixtures/api/wholeApi.js';
import { failed, queuedJob, started, succeeded } from '../../test/fixtures/backupJobs.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';
import { settleProject, type SettledProject } from '../../test/fixtures/settledProject.js';
import { backupJob, type BackupJobCommand } from '../backups/backupJob.js';
import type { JobError } from '../jobs/attempt.js';
import { backupJobProjection } from '../backups/backupJobView.js';
import { deciders } from '../../test/fixtures/streams.js';
import { rebuildProjection } from '../postgres/rebuildProjection.js';
import { restoreJob, type RestoreJobCommand } from '../restores/restoreJob.js';
import { restoreJobProjection } from '../restores/restoreJobView.js';

/** The data that programs of that time wrote. Today's program queues the jobs, which is the only difference. */
const queuedVersion = backupJob.schemaVersions?.['BackupQueued'] ?? 1;
const ofOld = { schemaVersions: { BackupQueued: queuedVersion }, upcasters: {} };
const metadata = { actor: 'tester', correlationId: randomUUID() };
const at = new Date().toISOString();
const errorSaying = (message: string): JobError => ({
  ...{ code: 'TOOL_FAILED', message, hint: 'Read the last lines of the tool. Try once more.', retriable: false },
  toolOutput: `--------------\nINSERT INTO t VALUES ('MARKER')\n--------------\n\nERROR 1062: 'MARKER'`,
});
const duplicate =
  "The mariadb client ended with exit code 1: ERROR 1062 (23000) at line 7: Duplicate entry 'MARKER' for key 'k'.";

describeWith({ postgresql: await postgresMissing() }, 'Errors of an earlier version', () => {
  let api: WholeApi;
  let settled: SettledProject;
  let [failedJobId, stored] = ['', ''];

  beforeAll(async () => {
    api = await startWholeApi();
    settled = await settleProject(api, 'harbour', 3306);
    const { projectId, serviceId, fileEndpointId } = settled;
    const { store } = api.shared;
    const ofBackup = (id: string, ...commands: BackupJobCommand[]) =>
      store.transact(metadata, async (tx) => {
        for (const command of commands) await tx.execute({ ...backupJob, ...ofOld }, { id, projectId }, command);
      });
    const ofRestore = (id: string, ...commands: RestoreJobCommand[]) =>
      store.transact(metadata, async (tx) => {
        for (const command of commands) await tx.execute({ ...restoreJob, ...ofOld }, { id, projectId }, command);
      });
    const queued = () => queuedJob(api.shared, projectId, { serviceId, fileEndpointId });

    failedJobId = await queued();
    const dumpSaid =
      "mariadb-dump ended with exit code 2: mariadb-dump: Error 1292: Incorrect value: 'MARKER' when dumping table `t` at row: 3.";
    await ofBackup(
      failedJobId,
      started(),
      { ...failed(), error: { ...errorSaying(dumpSaid), retriable: true } } as BackupJobCommand,
      started(2),
      { ...failed(2), error: errorSaying("db:3306 answered: Unknown 'MARKER'.") } as BackupJobCommand,
    );
    stored = await queued();
    const success = succeeded() as Extract<BackupJobCommand, { kind: 'SUCCEED' }>;
    const warnings = ['The dump tool said: MARKER', 'FLOAT columns keep 6 digits only: `a`.'];
    await ofBackup(stored, started(), { ...success, result: { ...success.result, warnings } });
    await ofRestore(
      settled.restoreJobId,
      { kind: 'START_ATTEMPT', attempt: { number: 1, worker: 'w', startedAt: at } },
      { kind: 'START_TOOL', attempt: 1, databases: ['shop'], at },
      { kind: 'FAIL_ATTEMPT', attempt: 1, outcome: 'FAILED', error: errorSaying(duplicate), at, retryAt: at },
    );
  });
  afterAll(() => api.stop());

  const error = 'error { code message hint toolOutput } attempts { error { message hint toolOutput } }';
  const answers = async () => {
    const list = await api.post(
      `query ($job: ID!, $restore: ID!, $project: ID) {
        events(projectId: $project, first: 200) { nodes { type summary data } }
        backupJobs(projectId: $project) { nodes { id message warnings ${error} } }
        restoreJobs(projectId: $project) { nodes { id message warnings ${error} } }
        backupJob(id: $job) { message ${error} } restoreJob(id: $restore) { message ${error} } }`,
      { job: failedJobId, restore: settled.restoreJobId, project: settled.projectId },
    );
    return list.text;
  };
  const rows = async (table: string) =>
    JSON.stringify(
      await api.owner.query(`SELECT * FROM ${table} WHERE id = ANY($1) ORDER BY id`, [
        [failedJobId, stored, settled.restoreJobId],
      ]),
    );

  test('are read without messages of tools and servers, in every answer and from every read model', async () => {
    // The test has inserted them: old read models hold them, and the log keeps them for ever.
    for (const table of ['backup_jobs', 'restore_jobs']) expect(await rows(table)).toContain('MARKER');
    const runner = api.owner.createQueryRunner();
    await new ErrorsWithoutData1700000000230().up(runner);
    await runner.release();
    for (const table of ['backup_jobs', 'restore_jobs']) expect(await rows(table)).not.toContain('MARKER');

    const answer = await answers();
    expect(answer).not.toContain('"errors"');
    expect(answer).not.toContain('MARKER');
    expect(answer).toContain(
      'The mariadb client ended with exit code 1 (error 1062). The text was removed because it may contain data.',
    );
    expect(answer).toContain('mariadb-dump ended with exit code 2 (error 1292).');
    expect(answer).toContain('FLOAT columns keep 6 digits only');
    expect(answer).toContain('db:3306 returned an error. The text was removed');
    expect(answer).toContain('Try once more.');

    const user = new GraphqlUser(api.url, installationToken);
    const query = 'subscription ($after: Position) { events(after: $after) { type summary data } }';
    const subscription = user.subscribe<{ type: string }>('events', query, { after: '0' });
    await subscription.until((events) => events.some(({ type }) => type === 'RestoreFailed'), 60_000);
    await user.close();
    expect(JSON.stringify(subscription.messages)).not.toContain('MARKER');
    expect(api.logged.join('')).not.toContain('MARKER');
  });

  test('are the same after a rebuild of the read models', async () => {
    const before = [await rows('backup_jobs'), await rows('restore_jobs')];
    await rebuildProjection(api.owner, backupJobProjection, deciders);
    await rebuildProjection(api.owner, restoreJobProjection, deciders);
    expect([await rows('backup_jobs'), await rows('restore_jobs')]).toEqual(before);
  });
});
