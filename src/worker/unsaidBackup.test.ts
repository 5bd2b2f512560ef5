import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../test/fixtures/mariadb.js';
import { postgresMissing } from '../../test/fixtures/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { eventually, startWorkerHarness, type WorkerHarness } from '../../test/fixtures/workerHarness.js';
import { BackupJobTable } from '../jobs/backupJobView.js';

describeWith({ postgresql: await postgresMissing(), mariadb: mariadbMissing }, 'A backup that nobody told of', () => {
  let harness: WorkerHarness;
  let server: MariadbServer;
  let child: ChildProcess | undefined;

  beforeAll(async () => {
    [harness, server] = await Promise.all([startWorkerHarness(), startMariadb()]);
    await server.sql('CREATE DATABASE shop; CREATE TABLE shop.t (a INT); INSERT INTO shop.t VALUES (1), (2);');
  }, 60_000);
  afterAll(async () => {
    child?.kill('SIGKILL');
    await Promise.all([harness.stop(), server.stop()]);
  });

  test('its worker killed between backup.json and the event: made void, deleted, and taken again', async () => {
    const program = join(import.meta.dirname, '../../test/fixtures/workerProcess.ts');
    child = spawn(process.execPath, ['--import', '@swc-node/register/esm-register', program], {
      env: {
        PATH: process.env['PATH'],
        NODE_NO_WARNINGS: '1',
        WORKER_GROUND: JSON.stringify(harness.ground),
        WORKER_TIMES: JSON.stringify({ lease: 3_000 }),
        WORKER_HOLDS: 'document',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines: string[] = [];
    if (child.stdout !== null) createInterface(child.stdout).on('line', (line) => lines.push(line));
    const id = await harness.queueBackup({
      serviceId: await harness.addService(server, { databases: ['shop'] }),
      fileEndpointId: await harness.addFolder(),
    });
    await eventually('backup.json is stored', () => (lines.includes('holding') ? true : undefined), 60_000);
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    expect((await harness.files()).filter((name) => name.includes('-a1/'))).toHaveLength(2);

    await harness.startWorker({ times: { lease: 3_000 } });
    const events = await harness.until(id, 'BackupRemainsRemoved', 60_000);
    const types = events.map(({ type }) => type);
    expect(types.filter((type) => type === 'BackupAttemptVoided')).toHaveLength(1);
    expect(types.indexOf('BackupAttemptVoided')).toBeLessThan(types.indexOf('BackupRemainsRemoved'));
    await harness.until(id, 'BackupSucceeded', 60_000);
    const row = await harness.dataSource.manager.findOneByOrFail(BackupJobTable, { id });
    expect(row.attempts.map(({ outcome }) => outcome)).toEqual(['WORKER_LOST', 'SUCCEEDED']);
    expect(row.attemptsWithRemains).toEqual([]);
    const files = await harness.files();
    expect(files).toHaveLength(2);
    expect(files.every((name) => name.startsWith(String(row.folder)))).toBe(true);
  }, 120_000);
});
