/**
 * Upgrades every frozen installation of a release to this version: its database is loaded and migrated, its objects are
 * in a real Swift and in a folder, and the current API and workers continue with it. The tests are one story and run in
 * their order.
 */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { isDeepStrictEqual, promisify } from 'node:util';
import type { GraphQLField } from 'graphql';
import { Client } from 'pg';
import { createDataSource } from '../../ormconfig.js';
import { readBackupDocument } from '../../src/archive/backupDocument.js';
import { adoptPrefixes } from '../../src/composition/adoptPrefixes.js';
import { migrate } from '../../src/composition/migrate.js';
import { readMarker } from '../../src/endpoints/installationMarker.js';
import { projectMark } from '../../src/endpoints/projectMark.js';
import { deciders, projections } from '../fixtures/streams.js';
import { upcast } from '../../src/eventSourcing/upcasting.js';
import { openLog } from '../../src/log.js';
import { createEventStore } from '../../src/postgres/eventStore.js';
import { rebuildProjection } from '../../src/postgres/rebuildProjection.js';
import { project } from '../../src/projects/project.js';
import { Secret } from '../../src/secret.js';
import { filesystemDriver } from '../../src/storage/filesystem/filesystemDriver.js';
import { swiftDriver } from '../../src/storage/swift/swiftDriver.js';
import type { Worker } from '../../src/worker/worker.js';
import { operationDocument } from '../fixtures/api/operationDocument.js';
import { startWholeApi, type WholeApi } from '../fixtures/api/wholeApi.js';
import {
  bytesOf,
  frozenVersions,
  readFrozenInstallation,
  type Content,
  type FrozenInstallation,
} from '../fixtures/installations/frozenInstallation.js';
import { dataOf, mutateById } from '../fixtures/installations/settledInstallation.js';
import { startUpgradeGround, type UpgradeGround } from '../fixtures/installations/upgradeGround.js';
import { fingerprint } from '../fixtures/mariadbFingerprint.js';
import { describeWith } from '../fixtures/requirements.js';
import { mariadbMissing, type MariadbServer } from '../fixtures/servers/mariadb.js';
import { postgresMissing } from '../fixtures/servers/postgres.js';
import { swiftMissing } from '../fixtures/servers/swift.js';
import { createTestWorker, eventually } from '../fixtures/workerHarness.js';

type StoredEvent = {
  readonly stream_id: string;
  readonly stream_type: string;
  readonly type: string;
  readonly schema_version: number;
  readonly data: Record<string, unknown>;
};

type Job = {
  readonly id: string;
  readonly status: string;
  readonly availability: string | null;
  readonly attempts: readonly { readonly outcome: string | null }[];
  readonly error: { readonly code: string } | null;
  readonly parts: readonly { readonly objectName: string; readonly restoreByHand: string }[];
};

const jobFields = 'id status attempts { outcome } error { code }';
const backupFields = `${jobFields} availability parts { objectName restoreByHand }`;

/** The fields that an upcaster removes on purpose, by type of event and path. */
const hidden: readonly RegExp[] = [/^(Backup|Restore)(AttemptEnded|Failed)\.error\.(message|hint|toolOutput)$/];

jest.setTimeout(300_000);

const needs = { mariadb: mariadbMissing, swift: swiftMissing, postgresql: await postgresMissing() };
const installations = await Promise.all((await frozenVersions()).map(readFrozenInstallation));

describeWith(needs, 'Upgrading', () => {
  describe.each(installations.map((frozen) => [frozen.about.programVersion, frozen] as const))(
    'An installation of version %s',
    (_version, frozen) => upgrade(frozen),
  );
});

function upgrade(frozen: FrozenInstallation): void {
  const { ids, container } = frozen.about;
  const id = (name: string): string => {
    const found = ids[name];
    if (found === undefined) throw new Error(`${name} was not frozen.`);
    return found;
  };
  let ground: UpgradeGround;
  let api: WholeApi;
  let stopApi: () => Promise<void> = () => Promise.resolve();
  let worker: Worker | undefined;
  let before: readonly StoredEvent[];

  beforeAll(async () => {
    ground = await startUpgradeGround(frozen);
  });
  afterAll(async () => {
    await worker?.stop();
    await stopApi();
    await ground.stop();
  });

  const asSuperuser = async <Row extends object>(sql: string): Promise<readonly Row[]> => {
    const client = new Client({ connectionString: ground.superuserUrl });
    await client.connect();
    try {
      return (await client.query<Row>(sql)).rows;
    } finally {
      await client.end();
    }
  };
  const backup = async (jobId: string) => {
    const query = `query ($id: ID!) { job: backupJob(id: $id) { ${backupFields} } }`;
    return (await dataOf<{ job: Job }>(api, query, { id: jobId })).job;
  };
  const restore = async (jobId: string) => {
    const query = `query ($id: ID!) { job: restoreJob(id: $id) { ${jobFields} } }`;
    return (await dataOf<{ job: Job }>(api, query, { id: jobId })).job;
  };
  const ended = (read: (jobId: string) => Promise<Job>, jobId: string) =>
    eventually(`job ${jobId} has ended`, async () => {
      const job = await read(jobId);
      return ['QUEUED', 'RUNNING'].includes(job.status) ? undefined : job;
    });
  const happened = (jobId: string, type: string) =>
    eventually(`${type} of ${jobId}`, async () => {
      const events = await api.shared.store.read({ streamId: jobId });
      return events.find((event) => event.type === type);
    });
  const restoredInto = async (backupJobId: string, serviceId: string) => {
    const { startRestore } = await dataOf<{ startRestore: { id: string } }>(
      api,
      'mutation ($input: StartRestoreInput!) { startRestore(input: $input) { id } }',
      { input: { backupJobId, target: { asNew: { serviceId } } } },
    );
    return ended(restore, startRestore.id);
  };
  const expectIdentical = async (copy: MariadbServer, database: string) => {
    expect(await fingerprint(copy, [database])).toEqual(await fingerprint(ground.source, [database]));
    await copy.sql(`DROP DATABASE ${database}`);
  };

  test('has an event of every type of its program', async () => {
    before = await asSuperuser<StoredEvent>('SELECT * FROM events ORDER BY position');
    const types = new Set(before.map(({ type }) => type));
    expect(frozen.about.eventTypes.filter((type) => !types.has(type))).toEqual([]);
    expect([...types].filter((type) => !frozen.about.eventTypes.includes(type))).toEqual([]);
    const states = await asSuperuser<{ state: string }>(
      'SELECT DISTINCT coalesce(availability, status) AS state FROM backup_jobs ORDER BY 1',
    );
    const everyState = 'CANCELLED DELETED DELETING FAILED MISSING QUEUED RUNNING SKIPPED STORED';
    expect(states.map(({ state }) => state)).toEqual(everyState.split(' '));
  });

  test('is migrated, and its log does not change', async () => {
    const { appUrl, ownerUrl } = ground.database;
    const urls = { databaseUrl: new Secret(appUrl), migrationDatabaseUrl: new Secret(ownerUrl) };
    const log = openLog('json', 'error', { write: () => undefined });
    await migrate({ role: 'migrate', logLevel: 'error', ...urls }, log);
    const after = await asSuperuser<StoredEvent>('SELECT * FROM events ORDER BY position');
    expect(after).toEqual(before);
  });

  test('loses nothing of an event when the event is read', () => {
    const lost = before.flatMap(({ stream_type: streamType, type, schema_version: schemaVersion, data }) => {
      const decider = deciders.find((each) => each.streamType === streamType);
      const read = upcast(decider, type, { schemaVersion, data });
      return missingFrom(data, read.data, type);
    });
    expect(lost.filter((path) => !hidden.some((each) => each.test(path)))).toEqual([]);
  });

  test('has the same read models as a rebuild from its log', async () => {
    const dataSource = await createDataSource({ url: ground.database.appUrl, poolSize: 2 }).initialize();
    try {
      for (const projection of projections) {
        for (const table of projection.tables) {
          const rows = () => asSuperuser(`SELECT to_jsonb(t) AS row FROM ${table} t ORDER BY to_jsonb(t)::text`);
          const migrated = await rows();
          await rebuildProjection(dataSource, projection, deciders);
          expect({ table, rows: await rows() }).toEqual({ table, rows: migrated });
        }
      }
    } finally {
      await dataSource.destroy();
    }
  });

  test('can be taken over by an API without an error', async () => {
    const { database, filesystemRoot } = ground;
    api = await startWholeApi({ database, filesystemRoot, masterKeys: frozen.masterKeys });
    stopApi = () => api.stop();
    expect(api.logged.filter((line) => /"level":"(error|fatal)"/.test(line))).toEqual([]);
  });

  test('loads every stream through its decider', async () => {
    const streams = new Map(before.map((event) => [event.stream_id, event.stream_type]));
    for (const [streamId, streamType] of streams) {
      const decider = deciders.find((each) => each.streamType === streamType);
      if (decider === undefined) throw new Error(`Nobody reads streams of ${streamType}.`);
      const loaded = await api.shared.store.load(decider, streamId);
      expect(loaded.version).toBeGreaterThanOrEqual(before.filter((event) => event.stream_id === streamId).length);
      // The state of a service that is no longer late equals the state of a service that never was late.
      if (streamType !== 'Protection') expect(loaded.state).not.toEqual(decider.initial);
    }
  });

  test('returns every field of every object that it had', async () => {
    const queries = Object.values(api.schema.getQueryType()?.getFields() ?? {}) as GraphQLField<unknown, unknown>[];
    const byId: Readonly<Record<string, string>> = {
      ...{ project: 'Project', service: 'Service', fileEndpoint: 'FileEndpoint', backupPlan: 'BackupPlan' },
      ...{ backupJob: 'BackupJob', restoreJob: 'RestoreJob' },
    };
    const fields: string[] = [];
    const answers: string[] = [];
    for (const query of queries) {
      const isOptional = query.args.every((arg) => !String(arg.type).endsWith('!') || arg.defaultValue !== undefined);
      const streamType = byId[query.name];
      const streamIds = before.filter((event) => event.stream_type === streamType).map((event) => event.stream_id);
      const cases =
        streamType === undefined ? (isOptional ? [{}] : []) : [...new Set(streamIds)].map((each) => ({ id: each }));
      for (const variables of cases) {
        const { text, errors } = await api.post(operationDocument('query', query, 3), variables);
        expect({ query: query.name, variables, errors }).toEqual({ query: query.name, variables, errors: [] });
        if (streamType !== undefined) expect(text).toContain('"__typename"');
        fields.push(query.name);
        answers.push(text);
      }
    }
    expect(new Set(fields)).toEqual(new Set([...fields, ...Object.keys(byId), 'events', 'backupJobs', 'workers']));
    const { text, data } = await api.post(
      'query ($id: ID) { events(projectId: $id, first: 200) { totalCount nodes { id summary data } } }',
      { id: frozen.about.command.projectId },
    );
    expect((data as { events: { totalCount: number } }).events.totalCount).toBeGreaterThan(200);
    // Errors of 0.1.0 contained the rows at which a restore failed. Later versions store errors without rows.
    expect(frozen.databaseSql.includes('customer.example')).toBe(frozen.about.programVersion === '0.1.0');
    const story = await api.post('query ($id: ID) { events(streamId: $id) { nodes { summary data } } }', {
      id: id('restoreFailed'),
    });
    expect(story.text).toMatch(frozen.about.programVersion === '0.1.0' ? /TOOL_FAILED/ : /TARGET_EXISTS/);
    expect([...answers, text, story.text].filter((answer) => answer.includes('customer.example'))).toEqual([]);
  });

  test('has backup.json files that can be read', async () => {
    const opened = [
      {
        storage: swiftDriver.open(ground.swift.settings(container)),
        documents: frozen.swift.filter(({ name }) => name.endsWith('/backup.json')),
      },
      {
        storage: filesystemDriver.open({ root: ground.filesystemRoot, path: '' }),
        documents: frozen.files.filter(({ name }) => name.endsWith('/backup.json')),
      },
    ];
    for (const { storage, documents } of opened) {
      expect(documents.length).toBeGreaterThan(2);
      for (const document of documents) {
        const read = await readBackupDocument(storage, document.name.slice(0, -'backup.json'.length));
        const written = JSON.parse(bytesOf(document as Content).toString('utf8')) as object;
        expect(missingFrom(written, read, document.name)).toEqual([]);
      }
      await storage.close();
    }
  });

  test('returns the first result of a repeated command', async () => {
    const { command } = frozen.about;
    const { createProject } = await dataOf<{ createProject: { id: string } }>(
      api,
      'mutation ($name: String!, $id: ID) { createProject(name: $name, commandId: $id) { id } }',
      { name: command.name, id: command.id },
    );
    expect(createProject.id).toBe(command.projectId);
  });

  test('decrypts every secret with its master keys', async () => {
    const rows = await asSuperuser<{ id: string; version: number; project: string; key: string }>(
      'SELECT credential_id AS id, version, project_id AS project, master_key_id AS key FROM vault_credentials',
    );
    expect(rows.map((row) => row.id).sort()).toEqual(Object.keys(frozen.about.secrets).sort());
    for (const row of rows) {
      const ref = { credentialId: row.id, credentialVersion: row.version };
      const secret = await api.shared.vault.reveal(row.project, ref);
      expect(secret.reveal()).toBe(frozen.about.secrets[row.id]);
    }
  });

  test('lets a client move a service and a file endpoint to their new addresses', async () => {
    const { swift, source } = ground;
    const update = 'mutation ($id: ID!, $input: ServicePatch!) { updateService(id: $id, input: $input) { id } }';
    const moved = (name: string, { port, password }: MariadbServer) =>
      dataOf(api, update, { id: id(`service.${name}`), input: { port, password } });
    for (const name of ['orders', 'ledger', 'scales', 'unreachable']) await moved(name, source);
    await dataOf(
      api,
      'mutation ($id: ID!, $input: FileEndpointPatch!) { updateFileEndpoint(id: $id, input: $input) { id } }',
      {
        id: id('endpoint.swift'),
        input: {
          settings: {
            swift: {
              authUrl: swift.settings(container).authUrl,
              credentials: { v1: { user: 'test:tester', key: 'testing' } },
            },
          },
        },
      },
    );
  });

  test('continues with queued jobs and with the jobs of a lost worker', async () => {
    worker = await createTestWorker(
      api.shared,
      { appUrl: '', ownerUrl: '', masterKey: '', root: ground.filesystemRoot, workRoot: api.workRoot },
      openLog('json', 'error', { write: () => undefined }),
      { times: { mark: 20_000, audit: 2_000 }, concurrency: 4 },
    );
    await worker.start();
    const outcomes = async (job: Promise<Job>) => {
      const { status, attempts } = await job;
      return [status, ...attempts.map(({ outcome }) => outcome)];
    };
    expect(await outcomes(ended(backup, id('queued')))).toEqual(['SUCCEEDED', 'SUCCEEDED']);
    expect(await outcomes(ended(backup, id('waitsForRetry')))).toEqual(['SUCCEEDED', 'FAILED', 'SUCCEEDED']);
    expect(await outcomes(ended(backup, id('dumping')))).toEqual([
      ...['SUCCEEDED', 'HANDED_BACK', 'WORKER_LOST', 'SUCCEEDED'],
    ]);
    // The backup of the lost worker was complete, so it is adopted.
    expect(await outcomes(ended(backup, id('verifying')))).toEqual(['SUCCEEDED', 'SUCCEEDED']);
    expect((await happened(id('verifying'), 'BackupSucceeded')).data).toMatchObject({ adoptedBy: expect.any(String) });

    expect(await outcomes(ended(restore, id('restoreRestoring')))).toEqual(['FAILED', 'WORKER_LOST']);
    expect(await outcomes(ended(restore, id('restoreFetching')))).toEqual(['SUCCEEDED', 'WORKER_LOST', 'SUCCEEDED']);
    await expectIdentical(ground.target, 'harbour');
    expect(await outcomes(ended(restore, id('restoreQueued')))).toEqual(['SUCCEEDED', 'SUCCEEDED']);
    await expectIdentical(ground.target, 'ledger');
    expect((await happened(id('restoreKeepsTarget'), 'RestoreTargetFreed')).data).toMatchObject({
      sessionsEnded: true,
    });
  });

  test('continues with its schedules: it runs the latest tick, and records earlier ticks as missed', async () => {
    const planId = id('plan.eachMinute');
    const job = await eventually('the plan has run', async () => {
      const query = 'query ($id: ID!) { plan: backupPlan(id: $id) { jobs { nodes { id trigger } } } }';
      const { plan } = await dataOf<{ plan: { jobs: { nodes: readonly { id: string; trigger: string }[] } } }>(
        api,
        query,
        {
          id: planId,
        },
      );
      return plan.jobs.nodes.at(-1);
    });
    // There is a tick each minute, so the latest is never late.
    expect(job.trigger).toBe('SCHEDULE');
    expect((await ended(backup, job.id)).availability).toBe('STORED');
    expect((await happened(planId, 'TicksMissed')).data).toMatchObject({ reason: expect.any(String) });
    await mutateById(api, 'pauseBackupPlan', planId);
  });

  test.each(['plainInSwift', 'plainInFolder', 'segmentsInSwift', 'segmentsInFolder'])(
    'can restore its old backup: %s',
    async (name) => {
      const database = name.startsWith('plain') ? 'harbour' : 'ledger';
      expect(await restoredInto(id(name), id('service.third'))).toMatchObject({ status: 'SUCCEEDED', error: null });
      await expectIdentical(ground.target, database);
    },
  );

  test.each(['plainInSwift', 'plainInFolder', 'segmentsInSwift', 'segmentsInFolder'])(
    'can be restored by hand with its old command: %s',
    async (name) => {
      const { parts } = await backup(id(name));
      const [part] = parts;
      if (part === undefined) throw new Error('The backup has no part.');
      // A part without a recorded character set was dumped by mariadb-dump in utf8mb4.
      expect(part.restoreByHand).toContain('--default-character-set=utf8mb4');
      // The folder is mounted at another path now.
      const line = part.restoreByHand.replace(
        /^cat \S*?\/((?:project-[0-9a-f-]{36}\/)?frozen\/)/,
        `cat ${ground.filesystemRoot}/$1`,
      );
      const client = `--no-defaults --user=root --socket=${join(ground.target.folder, 's')}`;
      await promisify(execFile)('bash', ['-o', 'pipefail', '-c', line.replace('| mariadb ', `| mariadb ${client} `)], {
        env: {
          PATH: process.env['PATH'] ?? '',
          ...{ ST_AUTH: `${ground.swift.url}/auth/v1.0`, ST_USER: 'test:tester', ST_KEY: 'testing' },
        },
      });
      await expectIdentical(ground.target, name.startsWith('plain') ? 'harbour' : 'ledger');
    },
  );

  test('audits its containers: a backup that was reported missing once and exists is found', async () => {
    await happened(id('absent'), 'BackupFound');
    const query = `query ($id: ID!) { endpoint: fileEndpoint(id: $id) {
      auditProblem { code } lastAudit { at missing unknownObjects prefixesNotSeen } } }`;
    for (const [name, missing] of [
      ['endpoint.swift', 0],
      ['endpoint.folder', 1],
    ] as const) {
      const audit = await eventually(`an audit of ${name}`, async () => {
        const { endpoint } = await dataOf<{ endpoint: { lastAudit: { at: string } | null } }>(api, query, {
          id: id(name),
        });
        return (endpoint.lastAudit?.at ?? '') > frozen.about.frozenAt ? endpoint : undefined;
      });
      expect(audit).toMatchObject({
        auditProblem: null,
        lastAudit: { missing, unknownObjects: 0, prefixesNotSeen: [] },
      });
    }
  });

  test('deletes nothing after its database was moved to another server, until adopt-prefixes is run', async () => {
    expect((await backup(id('deleting'))).availability).toBe('DELETING');
    const folder = (await backup(id('deleting'))).parts[0]?.objectName ?? '';
    expect(await ground.stored()).toContain(folder);
    const { appUrl, ownerUrl } = ground.database;
    await adoptPrefixes(
      {
        ...{ role: 'adopt-prefixes', logLevel: 'error', dataFolder: '' },
        ...{ databaseUrl: new Secret(appUrl), migrationDatabaseUrl: new Secret(ownerUrl) },
      },
      openLog('json', 'error', { write: () => undefined }),
    );
    await happened(id('deleting'), 'BackupDeleted');
    await happened(id('lostWithRemains'), 'BackupRemainsRemoved');
  });

  test('keeps its folders and containers, and its markers name their project', async () => {
    const query = `query ($id: ID!) { endpoint: fileEndpoint(id: $id) {
      prefix settings { ... on FilesystemSettings { path } } } }`;
    type Endpoint = { readonly prefix: string; readonly settings: { readonly path?: string } };
    const shown = async (name: string) => (await dataOf<{ endpoint: Endpoint }>(api, query, { id: id(name) })).endpoint;
    const [inSwift, inFolder] = [await shown('endpoint.swift'), await shown('endpoint.folder')];
    const { path = '' } = inFolder.settings;
    expect(path).toMatch(/^(project-[0-9a-f-]{36}\/)?frozen$/);
    const { projectId } = frozen.about.command;
    const { installationId } = api.shared;
    const marked = { installation: installationId, projects: [projectMark({ installationId, projectId })] };
    for (const [storage, prefix] of [
      [swiftDriver.open(ground.swift.settings(container)), inSwift.prefix],
      [filesystemDriver.open({ root: ground.filesystemRoot, path }), inFolder.prefix],
    ] as const) {
      await eventually(`the marker of ${prefix} names the project`, async () => {
        const marker = await readMarker(storage, prefix, AbortSignal.timeout(60_000));
        return isDeepStrictEqual({ ...marked, mark: marker?.mark }, marker) ? true : undefined;
      });
      await storage.close();
    }
  });

  test('can delete all its backups, and nothing remains', async () => {
    await mutateById(api, 'releaseBackup', id('segmentsInFolder'));
    const rows = await asSuperuser<{ id: string }>(
      "SELECT id FROM backup_jobs WHERE availability IN ('STORED', 'MISSING')",
    );
    expect(rows.length).toBeGreaterThan(8);
    for (const row of rows) await mutateById(api, 'deleteBackup', row.id, ', force: true');
    for (const row of rows) await happened(row.id, 'BackupDeleted');
    await eventually('nothing remains', async () => ((await ground.stored()).length === 0 ? true : undefined));
  });

  test('lets no worker of its own version postpone a job that the worker cannot start', async () => {
    const client = new Client({ connectionString: ground.database.appUrl });
    await client.connect();
    try {
      await client.query(`INSERT INTO job_queue (job_id, kind, project_id, service_id, engine, due_at, queued_at)
        VALUES ('waits', 'BACKUP', 'p', 's', 'NONE', now(), now())`);
      // 0.1.0 does this when the event of the start is refused.
      const putOff = client.query(
        `UPDATE job_queue SET put_off = put_off + 1, due_at = clock_timestamp() + $2 * interval '1 millisecond'
         WHERE job_id = $1 AND worker_id IS NULL`,
        ['waits', 30_000],
      );
      await expect(putOff).rejects.toMatchObject({ code: 'SW001' });
    } finally {
      await client.query("DELETE FROM job_queue WHERE job_id = 'waits'");
      await client.end();
    }
  });

  test('refuses an append of a replica of its own version', async () => {
    const known = new Set(
      /INSERT INTO public\.schema_migrations[^;]*/.exec(frozen.databaseSql)?.[0].match(/\d{13}(?=')/g),
    );
    const dataSource = await createDataSource({ url: ground.database.appUrl, poolSize: 2 }).initialize();
    try {
      const migrations = dataSource.migrations.filter((each) => known.has(each.constructor.name.slice(-13)));
      Object.assign(dataSource, { migrations });
      const store = createEventStore({ dataSource, projections, deciders });
      const refused = store.transact({ actor: 'old', correlationId: 'old' }, (tx) =>
        tx.execute(
          project,
          { id: randomUUID(), projectId: randomUUID() },
          { kind: 'CREATE', name: 'late', at: '2026-01-01' },
        ),
      );
      await expect(refused).rejects.toMatchObject({ code: 'UNAVAILABLE', retriable: false });
    } finally {
      await dataSource.destroy();
    }
  });
}

/** The paths of `old` whose value `now` lacks or changes. */
function missingFrom(old: unknown, now: unknown, path: string): readonly string[] {
  if (typeof old !== 'object' || old === null) return Object.is(old, now) ? [] : [path];
  if (typeof now !== 'object' || now === null) return [path];
  return Object.entries(old).flatMap(([key, value]) => missingFrom(value, Reflect.get(now, key), `${path}.${key}`));
}
