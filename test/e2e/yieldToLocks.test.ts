/**
 * An application alters a large table while a plan backs it up. The tests check the effect on the application, and the report
 * of the backup. The storage accepts only the first bytes of a dump, so that the dump keeps reading the table.
 */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { createConnection, type Connection } from 'mysql2/promise';
import { heldAfterFirstBytes } from '../fixtures/archive.js';
import { startWholeApi, type WholeApi } from '../fixtures/api/wholeApi.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../fixtures/servers/mariadb.js';
import { postgresMissing } from '../fixtures/servers/postgres.js';
import { describeWith } from '../fixtures/requirements.js';
import { until } from '../fixtures/until.js';
import { createTestWorker } from '../fixtures/workerHarness.js';
import { openLog } from '../../src/log.js';
import type { Worker } from '../../src/worker/worker.js';

const patienceMs = 300;
const longMs = 1_500;

jest.setTimeout(300_000);

describeWith(
  { mariadb: mariadbMissing, postgresql: await postgresMissing() },
  'A plan during the work of an application',
  () => {
    let server: MariadbServer;
    let api: WholeApi;
    let worker: Worker;
    let app: Connection;
    let planId: string;
    let service: { readonly serviceId: string; readonly fileEndpointId: string };
    /** One gate for each storage that a worker has opened. */
    const held: ReturnType<typeof heldAfterFirstBytes>[] = [];
    let holds = true;

    beforeAll(async () => {
      [server, api] = await Promise.all([startMariadb(), startWholeApi()]);
      await server.sql(`CREATE DATABASE shop; USE shop; CREATE TABLE large (id INT PRIMARY KEY, v TEXT);
      INSERT INTO large SELECT seq, CONCAT(SHA2(RAND(), 512), SHA2(RAND(), 512), SHA2(RAND(), 512), SHA2(RAND(), 512),
        SHA2(RAND(), 512), SHA2(RAND(), 512), SHA2(RAND(), 512), SHA2(RAND(), 512)) FROM seq_1_to_30000;
      CREATE USER app IDENTIFIED BY 'app'; GRANT ALL ON shop.* TO app;`);
      app = await createConnection({
        host: '127.0.0.1',
        port: server.port,
        user: 'app',
        password: 'app',
        database: 'shop',
      });
      const { filesystemRoot: root, workRoot } = api;
      worker = await createTestWorker(
        api.shared,
        { appUrl: '', ownerUrl: '', masterKey: '', root, workRoot },
        openLog('json', 'info', { write: () => undefined }),
        {
          lockPatienceMs: patienceMs,
          wrapStorage: (storage) => {
            if (!holds) return storage;
            const holding = heldAfterFirstBytes(storage);
            held.push(holding);
            return holding.storage;
          },
        },
      );
      await worker.start();
      const create = async (operation: string, input: object): Promise<string> => {
        const { data, text } = await api.post(`mutation ($input: ${operation}`, { input });
        const made = data as { made?: { id: string } } | null;
        if (!made?.made) throw new Error(text);
        return made.made.id;
      };
      const project = await api.post('mutation { made: createProject(name: "shop") { id } }');
      const projectId = (project.data as { made: { id: string } }).made.id;
      const { username, password, port } = server;
      const serviceId = await create('ServiceInput!) { made: registerService(input: $input) { id } }', {
        ...{ projectId, name: 'shop', engine: 'MARIADB', host: '127.0.0.1', port, username, password },
      });
      const fileEndpointId = await create('FileEndpointInput!) { made: createFileEndpoint(input: $input) { id } }', {
        ...{ projectId, name: 'folder', settings: { filesystem: { path: 'shop' } } },
      });
      service = { serviceId, fileEndpointId };
      planId = await create('BackupPlanInput!) { made: createBackupPlan(input: $input) { id } }', {
        ...{ serviceId, name: 'yearly', fileEndpointIds: [fileEndpointId], frequency: '0 0 5 1 1 *' },
        retention: { style: 'ALL' },
      });
    }, 300_000);

    afterAll(async () => {
      for (const each of held) each.release();
      await app.end();
      await worker.stop();
      await Promise.all([api.stop(), server.stop()]);
    });

    type Job = {
      readonly status: string;
      readonly warnings: readonly string[];
      readonly attempts: readonly {
        readonly error: { readonly code: string; readonly message: string; readonly hint: string } | null;
      }[];
    };
    async function start(of: object): Promise<string> {
      const { data, text } = await api.post(
        'mutation ($of: StartBackupInput!) { started: startBackup(input: $of) { jobs { id } } }',
        { of },
      );
      const { started } = data as { started?: { jobs: { id: string }[] } };
      return started?.jobs[0]?.id ?? fail(text);
    }
    async function job(id: string): Promise<Job> {
      const query =
        'query ($id: ID!) { job: backupJob(id: $id) { status warnings attempts { error { code message hint } } } }';
      const { data } = await api.post(query, { id });
      return (data as { job: Job }).job;
    }
    const ended = (id: string) =>
      until(async () => !['QUEUED', 'RUNNING'].includes((await job(id)).status), 'the backup has ended');
    /** Waits for the storage of a worker that has received the first bytes of the next dump. */
    const nextHeld = () => {
      const before = held.length;
      return {
        async now() {
          await until(() => held.length > before, 'a worker has opened the storage');
          await held[before]?.holding;
          return held[before];
        },
      };
    };

    test('ends its dump by default, names the waiting session, and is backed up by a later attempt', async () => {
      const { data } = await api.post('query ($id: ID!) { backupPlan(id: $id) { yieldToLocks } }', { id: planId });
      expect(data).toEqual({ backupPlan: { yieldToLocks: true } });
      const next = nextHeld();
      const id = await start({ planId });
      await next.now();
      holds = false;
      // The statement ends although the storage still accepts no data.
      await app.query("ALTER TABLE large ADD COLUMN added VARCHAR(40) DEFAULT 'a customer''s value'");
      await ended(id);
      const { status, attempts } = await job(id);
      expect(status).toBe('SUCCEEDED');
      expect(attempts.map(({ error }) => error?.code)).toEqual(['SERVICE_BUSY', undefined]);
      expect(attempts[0]?.error?.message).toMatch(/user 'app' .* waited .* 'shop\.large'.* to run ALTER TABLE\.$/);
      expect(attempts[0]?.error?.hint).toMatch(/yieldToLocks/);
    });

    test.each<[string, () => Promise<object>]>([
      [
        'a plan with this option',
        async () => {
          const patch =
            'mutation ($id: ID!) { updateBackupPlan(id: $id, input: { yieldToLocks: false }) { yieldToLocks } }';
          const { data } = await api.post(patch, { id: planId });
          expect(data).toEqual({ updateBackupPlan: { yieldToLocks: false } });
          return { planId };
        },
      ],
      [
        'a backup without a plan, with this option',
        () => Promise.resolve({ service: { ...service, yieldToLocks: false } }),
      ],
    ])('does not end its dump for %s: other sessions wait until the table is dumped', async (_, order) => {
      holds = true;
      const next = nextHeld();
      const id = await start(await order());
      const storage = await next.now();
      const altered = app.query(`ALTER TABLE large COMMENT = '${id}'`);
      await until(async () => {
        const waited = await server.sql(`SELECT TIME_MS > ${longMs} FROM information_schema.processlist
        WHERE id = ${app.threadId} AND state LIKE 'Waiting for%'`);
        return waited.trim() === '1';
      }, 'the ALTER TABLE has waited for several times the limit');
      expect((await job(id)).status).toBe('RUNNING');
      storage?.release();
      await ended(id);
      await altered;
      expect(await job(id)).toMatchObject({ status: 'SUCCEEDED', attempts: [{ error: null }] });
    });
  },
);

function fail(text: string): never {
  throw new Error(text);
}
