import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { describeWith } from '../../test/fixtures/requirements.js';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';
import {
  postgresBin,
  postgresVersionsMissing,
  startPostgresServer,
  type PostgresServer,
} from '../../test/fixtures/servers/postgresVersions.js';
import { eventually, startWorkerHarness, type WorkerHarness } from '../../test/fixtures/workerHarness.js';
import { BackupJobTable, type BackupJobRow } from '../backups/backupJobView.js';
import { createPostgresqlEngine } from '../engines/postgresql/postgresqlEngine.js';
import type { Worker } from './worker.js';

const needs = { postgresql: await postgresMissing(), 'postgresql-versions': postgresVersionsMissing };

describeWith(needs, 'A worker whose tools are too old for a server', () => {
  let harness: WorkerHarness;
  let server: PostgresServer;
  let serviceId: string;
  let fileEndpointId: string;
  const workers: Worker[] = [];

  beforeAll(async () => {
    [harness, server] = await Promise.all([startWorkerHarness(), startPostgresServer('18')]);
    await server.sql('postgres', 'CREATE DATABASE harbour');
    serviceId = await harness.addService(server, { engine: 'POSTGRESQL', databases: ['harbour'] });
    fileEndpointId = await harness.addFolder();
  });
  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.stop()));
  });
  afterAll(async () => {
    await Promise.all([harness.stop(), server.stop()]);
  });

  /** With the folders of STOWAGE_TOOLS. PostgreSQL 15 is in a usual place of every worker. */
  async function startWorker(id: string, folders: readonly string[]): Promise<void> {
    const engine = createPostgresqlEngine({ tools: { folders } });
    workers.push(await harness.startWorker({ id, engines: new Map([[engine.name, engine]]) }));
  }
  const queue = () => harness.queueBackup({ serviceId, fileEndpointId, engine: 'POSTGRESQL', maxAttempts: 1 });
  const jobOnce = (what: string, id: string, is: (row: BackupJobRow) => boolean) =>
    eventually(what, async () => {
      const row = await harness.dataSource.manager.findOneByOrFail(BackupJobTable, { id });
      return is(row) ? row : undefined;
    });
  const attemptsOf = ({ attempts }: BackupJobRow) => attempts.map(({ worker, outcome }) => [worker, outcome]);
  const able = {
    ...{ id: 'able', host: 'quay', pid: 7, programVersion: '1', concurrency: 1, draining: false, lostAfterMs: 600_000 },
    engines: ['pg_dump', 'pg_dumpall', 'pg_restore'].map((tool) => ({ engine: 'POSTGRESQL', tool, version: '18.1' })),
  };

  test('fails the job, and names the package, if no other worker has newer tools', async () => {
    await startWorker('alone', []);
    const { error, attempts } = await jobOnce('the end', await queue(), ({ finishedAt }) => finishedAt !== null);
    expect(error).toMatchObject({ code: 'TOOL_VERSION', hint: expect.stringContaining('postgresql-client-18') });
    expect(attempts).toHaveLength(1);
  });

  test('hands the job over to a worker that has them, and does not claim it again', async () => {
    await harness.workers.report(able);
    await startWorker('old', []);
    const id = await queue();
    const waiting = await jobOnce('the hand-over', id, ({ attempts }) => attempts[0]?.outcome === 'HANDED_BACK');
    expect([waiting.status, attemptsOf(waiting)]).toEqual(['QUEUED', [['old', 'HANDED_BACK']]]);

    await harness.workers.leave(able.id);
    expect((await harness.workers.whyWaiting([id])).get(id)).toEqual({
      kind: 'NO_TOOLS',
      engine: 'POSTGRESQL pg_dump 18',
    });

    await startWorker('new', [postgresBin('18')]);
    const ended = await jobOnce('the end', id, ({ finishedAt }) => finishedAt !== null);
    expect({ error: ended.error, attempts: attemptsOf(ended) }).toEqual({
      error: null,
      attempts: [
        ['old', 'HANDED_BACK'],
        ['new', 'SUCCEEDED'],
      ],
    });
  });
});
