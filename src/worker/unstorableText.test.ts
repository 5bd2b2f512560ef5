/**
 * PostgreSQL cannot store text that holds NUL or half of a surrogate pair. Messages of tools and servers may contain
 * such text.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { faultyTool } from '../../test/fixtures/faultyTools.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../test/fixtures/servers/mariadb.js';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { startWorkerHarness, type WorkerHarness } from '../../test/fixtures/workerHarness.js';
import { createMariadbEngine } from '../engines/mariadb/mariadbEngine.js';

describeWith({ postgresql: await postgresMissing(), mariadb: mariadbMissing }, 'A backup with a message', () => {
  let harness: WorkerHarness;
  let server: MariadbServer;

  beforeAll(async () => {
    [harness, server] = await Promise.all([startWorkerHarness(), startMariadb()]);
  });
  afterAll(() => Promise.all([harness.stop(), server.stop()]));

  test('from its tool that cannot be stored fails once, and keeps the part that can be stored', async () => {
    await server.sql('CREATE DATABASE plain; CREATE TABLE plain.t (a INT);');
    // Error lines are cut after 2,048 characters. Here this is in the middle of a surrogate pair (an elephant).
    const tools = await faultyTool(
      'mariadb-dump',
      `printf 'an error with \\000 in it\\n' >&2
      { head -c 2047 /dev/zero | tr '\\000' x; printf '\\360\\237\\220\\230\\n'; } >&2
      exit 2`,
      harness.ground.workRoot,
    );
    const worker = await harness.startWorker({
      engines: new Map([['MARIADB', createMariadbEngine({ tools: { folders: [tools] } })]]),
    });
    const id = await harness.queueBackup({
      serviceId: await harness.addService(server, { databases: ['plain'] }),
      fileEndpointId: await harness.addFolder({ path: 'tool' }),
    });
    const events = await harness.until(id, 'BackupFailed');
    await worker.stop();
    expect(events.filter(({ type }) => type === 'BackupAttemptStarted')).toHaveLength(1);
    const { error } = events.find(({ type }) => type === 'BackupFailed')?.data as { error: { toolOutput: string } };
    expect(error).toMatchObject({
      code: 'TOOL_FAILED',
      message: expect.stringContaining('an error with   in it'),
    });
    expect(error.toolOutput).toMatch(/xxx\uFFFD$/);
  });

  test('from its server that cannot be stored succeeds, and is restored without a difference', async () => {
    await server.sql(`SET NAMES utf8mb4; CREATE DATABASE odd COMMENT 'a\\0b'; CREATE TABLE odd.t (a INT);`);
    const worker = await harness.startWorker();
    const id = await harness.queueBackup({
      serviceId: await harness.addService(server, { databases: ['odd'] }),
      fileEndpointId: await harness.addFolder({ path: 'server' }),
    });
    await harness.until(id, 'BackupSucceeded');
    await server.sql('DROP DATABASE odd;');
    const events = await harness.until(
      await harness.queueRestore(id, await harness.addService(server)),
      'RestoreSucceeded',
    );
    await worker.stop();
    expect(events.at(-1)?.data).toMatchObject({ result: { differences: [] } });
  });
});
