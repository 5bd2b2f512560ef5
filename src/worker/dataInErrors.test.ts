/**
 * Servers and tools repeat rows of a customer's table. Stowage must not repeat them: not in its log, not in any table.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdir } from 'node:fs/promises';
import { Client } from 'pg';
import { faultyTool } from '../../test/fixtures/faultyTools.js';
import { anySession } from '../../test/fixtures/mariadbSession.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../test/fixtures/servers/mariadb.js';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';
import { startWorkerHarness, type WorkerHarness } from '../../test/fixtures/workerHarness.js';
import { createMariadbEngine } from '../engines/mariadb/mariadbEngine.js';
import { withSession } from '../engines/mysqlFamily/session/session.js';
import type { JobError } from '../jobs/attempt.js';

const channels = ['events', 'progress', 'work', 'cancel', 'compared', 'workers'];

describeWith(
  { postgresql: await postgresMissing(), mariadb: mariadbMissing },
  'A value of a row is not repeated',
  () => {
    let harness: WorkerHarness;
    let server: MariadbServer;
    let listener: Client;
    const notified: string[] = [];

    beforeAll(async () => {
      [harness, server] = await Promise.all([startWorkerHarness(), startMariadb()]);
      listener = new Client({ connectionString: harness.ground.ownerUrl });
      await listener.connect();
      listener.on('notification', ({ payload = '' }) => void notified.push(payload));
      for (const channel of channels) await listener.query(`LISTEN stowage_${channel}`);
    });
    afterAll(async () => {
      await listener.end();
      await Promise.all([harness.stop(), server.stop()]);
    });

    const errorOf = (events: Awaited<ReturnType<WorkerHarness['until']>>) =>
      (events.at(-1)?.data as { error: JobError }).error;

    async function expectNowhere(): Promise<void> {
      const owner = await harness.postgres.connect(harness.ground.ownerUrl);
      const tables = await owner.query<{ name: string }[]>(
        "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'",
      );
      for (const { name } of tables) {
        const rows = await owner.query<unknown[]>(
          `SELECT t::text AS row FROM "${name}" t WHERE t::text LIKE '%MARKER%'`,
        );
        expect({ name, rows }).toEqual({ name, rows: [] });
      }
      expect(harness.logged.filter((line) => line.includes('MARKER'))).toEqual([]);
      expect(notified.filter((payload) => payload.includes('MARKER'))).toEqual([]);
    }

    // InnoDB inserts the rows of a new table in bulk, and finds a duplicate key only when it commits.
    test.each([
      ['MyISAM', /ERROR 1062 \(23000\) at line \d+: Duplicate entry '…' for key 'PRIMARY'/],
      [
        'InnoDB',
        /ERROR (1062 \(23000\)|1180 \(HY000\)) at line \d+: (Duplicate entry '…'|Got error 1 .* during COMMIT)/,
      ],
    ])(
      'when a restore fails at an INSERT into %s; the error names the statement and a hint',
      async (engine, sentence) => {
        const database = `keys_of_${engine.toLowerCase()}`;
        await server.sql(`CREATE DATABASE ${database};
        CREATE TABLE ${database}.prices (amount INT, customer VARCHAR(20), PRIMARY KEY (amount, customer)) ENGINE=${engine};
        INSERT INTO ${database}.prices VALUES (1, 'MARKER'), (2, 'MARKER');`);
        // A backup refuses keys that become equal in a dump, so this test changes the dump itself.
        const spoils = '"$real" "$@" | sed "s/^(2,/(1,/"';
        const tools = await faultyTool('mariadb-dump', spoils, harness.ground.workRoot);
        const worker = await harness.startWorker({
          engines: new Map([['MARIADB', createMariadbEngine({ tools: { folders: [tools] } })]]),
        });
        const serviceId = await harness.addService(server, { databases: [database] });
        const fileEndpointId = await harness.addFolder({ path: engine });
        const id = await harness.queueBackup({ serviceId, fileEndpointId });
        await harness.until(id, 'BackupSucceeded');
        await server.sql(`DROP DATABASE ${database};`);
        const restoreId = await harness.queueRestore(id, await harness.addService(server));
        const events = await harness.until(restoreId, 'RestoreFailed');
        await worker.stop();
        await server.sql(`DROP DATABASE ${database};`);
        const error = errorOf(events);
        expect(error.message).toMatch(sentence);
        expect(error.message).toContain('The statement was INSERT INTO `prices`.');
        expect(error.hint).toMatch(/FLOAT keeps 6 digits.*Drop it there before you restore it again/s);
        expect(error.toolOutput).toMatch(/^Failed statement: INSERT INTO `prices`\nERROR 1(062|180)/);
        await expectNowhere();
      },
    );

    test.each([
      [
        'mariadb-dump',
        "mariadb-dump: Error 1292: Truncated incorrect DOUBLE value: 'MARKER\nMARKER' when dumping table `t` at row: 3",
      ],
      ['mariadb-dump', "INSERT INTO t VALUES ('MARKER')"],
      ['zstd', "zstd: error 25: cannot write 'MARKER'"],
      ['perl', 'Argument "MARKER" is not numeric at -e line 3.'],
    ])('when %s prints the value: %s', async (program, printed) => {
      await server.sql('CREATE DATABASE IF NOT EXISTS plain; CREATE TABLE IF NOT EXISTS plain.t (a INT);');
      const tools = await faultyTool(program, `cat >&2 <<'X'\n${printed}\nX\nexit 2`, harness.ground.workRoot);
      const worker = await harness.startWorker({
        engines: new Map([['MARIADB', createMariadbEngine({ tools: { folders: [tools] } })]]),
      });
      const serviceId = await harness.addService(server, { databases: ['plain'] });
      const fileEndpointId = await harness.addFolder({ path: `tool${String(harness.logged.length)}` });
      const id = await harness.queueBackup({ serviceId, fileEndpointId, maxAttempts: 1 });
      const events = await harness.until(id, 'BackupFailed');
      await worker.stop();
      expect(errorOf(events).toolOutput).not.toBeNull();
      await expectNowhere();
    });

    test('when our own query fails with the value, and the properties of the error do not repeat it', async () => {
      const options = { signal: AbortSignal.timeout(60_000), ...anySession() };
      const failed = await withSession(server.connection(), options, (session) =>
        session.query("SELECT 'MARKER' FROM nowhere.at_all WHERE a = ?", ['MARKER']),
      ).catch((error: unknown) => error);
      const everything = JSON.stringify(failed, Object.getOwnPropertyNames(failed));
      expect(everything).toContain("'nowhere.at_all' doesn't exist");
      const { cause } = failed as Error;
      expect(everything + JSON.stringify(cause, Object.getOwnPropertyNames(cause))).not.toContain('MARKER');
    });

    test('and a folder that is not a database does not fail a backup of all databases', async () => {
      await mkdir(`${server.folder}/data/lost+found`, { mode: 0o700 });
      const worker = await harness.startWorker();
      const fileEndpointId = await harness.addFolder({ path: 'lost' });
      const id = await harness.queueBackup({ serviceId: await harness.addService(server), fileEndpointId });
      const events = await harness.until(id, 'BackupSucceeded');
      await worker.stop();
      const { result } = events.at(-1)?.data as {
        result: { warnings: string[]; inventory: { databases: { name: string }[] } };
      };
      expect(result.warnings).toContain(
        'Folders in the data directory of the server that are not databases are omitted: lost+found.',
      );
      expect(result.inventory.databases.map(({ name }) => name)).toEqual(['plain']);
    });
  },
);
