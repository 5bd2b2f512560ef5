/**
 * The main job of a user, only through GraphQL. The built program runs with API and worker as separate processes, and
 * with real MariaDB, Swift, Keystone, PostgreSQL and MongoDB's protocol. The tests are one story and run in their
 * order.
 */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { buildProgram, type BuiltProgram } from '../fixtures/processes/builtProgram.js';
import { descendantsOf } from '../fixtures/processes/childProcesses.js';
import { AnsweredError, GraphqlUser, type ReceivedMessages } from '../fixtures/api/graphqlUser.js';
import { keystoneMissing, startKeystone, type KeystoneServer } from '../fixtures/servers/keystone.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../fixtures/servers/mariadb.js';
import { fingerprint } from '../fixtures/mariadbFingerprint.js';
import { mongoMissing, startMongo, type TestMongo } from '../fixtures/servers/mongo.js';
import { postgresMissing, startPostgres, type TestDatabase, type TestPostgres } from '../fixtures/servers/postgres.js';
import { describeWith } from '../fixtures/requirements.js';
import { startApi, startWorker, type StowageApi, type StowageProcess } from '../fixtures/processes/stowageProcess.js';
import { swiftMissing } from '../fixtures/servers/swift.js';

const needs = {
  mariadb: mariadbMissing,
  swift: swiftMissing,
  keystone: keystoneMissing,
  postgresql: await postgresMissing(),
  mongodb: await mongoMissing(),
};

const databases = ['bulk', 'harbour'];
const container = 'backups';
/** The limit for steps that take seconds on a machine that is not busy. */
const soonMs = 120_000;
/** The limit for a lease and the round of the reaper, on a busy machine. */
const lostWorkerMs = 120_000;

type Check = { readonly ok: boolean; readonly steps: readonly { readonly name: string; readonly status: string }[] };
type Part = { readonly objectName: string; readonly checksum: string; readonly restoreByHand: string };
type Job = {
  readonly id: string;
  readonly status: string;
  readonly phase: string | null;
  readonly availability?: string | null;
  readonly version: number;
  readonly trigger?: string;
  readonly scheduledFor?: string | null;
  readonly executionTime: string | null;
  readonly message: string;
  readonly attempts: readonly { readonly number: number; readonly outcome: string | null }[];
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly progress: { readonly readBytes: number; readonly storedBytes: number } | null;
  readonly parts?: readonly Part[];
  readonly differences?: readonly unknown[] | null;
};
type Change = { readonly kind: string; readonly position: string; readonly job: Job | null };
type ShownWorker = {
  readonly pid: number;
  readonly state: string;
  readonly engines: readonly { readonly tool: string }[];
  readonly jobs: readonly { readonly phase: string | null; readonly backupJob: { readonly id: string } | null }[];
};
type LogEvent = {
  readonly id: string;
  readonly position: string;
  readonly type: string;
  readonly streamType: string;
  readonly streamId: string;
  readonly version: number;
  readonly data: { readonly attempt?: unknown; readonly phase?: string; readonly outcome?: string };
  readonly actor: string;
  readonly summary: string;
};

const both = `id status phase version executionTime message attempts { number outcome } error { code message }
  progress { readBytes storedBytes }`;
const backup = `${both} availability trigger scheduledFor parts { objectName checksum restoreByHand }`;
const backupSubscription = `subscription ($id: ID!) { backupJob(id: $id) { ${backup} } }`;
const changesSubscription = `subscription ($projectId: ID!) {
  backupJobChanges(projectId: $projectId, progress: true) { kind position job { ${backup} } } }`;
const eventFields = 'id position type streamType streamId version data actor summary';

jest.setTimeout(5 * soonMs);

describeWith(needs, 'The main job', () => {
  let program: BuiltProgram;
  let source: MariadbServer;
  let target: MariadbServer;
  let byHand: MariadbServer;
  let keystone: KeystoneServer;
  let postgres: TestPostgres;
  let database: TestDatabase;
  let mongo: TestMongo;
  let home: string;
  let settings: Readonly<Record<string, string>>;
  let api: StowageApi;
  let otherApi: StowageApi;
  let worker: StowageProcess;
  let user: GraphqlUser;
  let otherUser: GraphqlUser;
  /** Ends all started processes and servers in reverse order, also after an incomplete start. */
  const endings: (() => Promise<unknown>)[] = [];
  const processes: StowageProcess[] = [];
  const adminToken = randomBytes(32).toString('hex');
  const masterKey = randomBytes(32).toString('base64');

  let projectId = '';
  let serviceId = '';
  let targetId = '';
  let fileEndpointId = '';
  let planId = '';
  let scheduled: Job;

  const ending =
    <T>(end: (opened: T) => Promise<unknown>) =>
    (opened: T): T => {
      endings.push(() => end(opened));
      return opened;
    };
  const running = <P extends StowageProcess>(process: P): P => {
    processes.push(process);
    return ending<P>((each) => each.kill())(process);
  };
  const newWorker = async () => running(await startWorker(program.main, settings));

  beforeAll(async () => {
    [program, source, target, byHand, keystone, postgres, mongo, home] = await Promise.all([
      buildProgram().then(ending((built) => built.remove())),
      startMariadb().then(ending((server) => server.stop())),
      startMariadb().then(ending((server) => server.stop())),
      startMariadb().then(ending((server) => server.stop())),
      startKeystone().then(ending((server) => server.stop())),
      startPostgres().then(ending((server) => server.stop())),
      startMongo().then(ending((server) => server.stop())),
      mkdtemp(join(tmpdir(), 'stowage-home-')).then(ending((path) => rm(path, { recursive: true }))),
    ]);
    database = await postgres.createEmptyDatabase();
    settings = {
      DATABASE_URL: database.appUrl,
      MIGRATION_DATABASE_URL: database.ownerUrl,
      SCHEDULE_STORE_URL: mongo.newDatabaseUrl(),
      STOWAGE_MASTER_KEY: masterKey,
      STOWAGE_ADMIN_TOKEN: adminToken,
      STOWAGE_ALLOWED_TARGETS: 'default,loopback',
      STOWAGE_MIN_INTERVAL: 'PT1S',
      STOWAGE_WORKER_LEASE: 'PT15S',
      // The grace time is so short that a dump cannot finish after the worker was asked to end.
      STOWAGE_WORKER_GRACE: 'PT1S',
    };
    await source.sql(await readFile(join(import.meta.dirname, '../../scripts/quickstart-sample.sql'), 'utf8'));
    // The table needs more than one segment, because random bytes do not compress.
    await source.sql(`CREATE DATABASE bulk; USE bulk; CREATE TABLE noise (id INT PRIMARY KEY, b BLOB);
      INSERT INTO noise SELECT seq, RANDOM_BYTES(1024) FROM seq_1_to_36000;`);
    // All start at the same time: the schema does not exist yet, and each of them tries to migrate it.
    [api, otherApi, worker] = await Promise.all([
      startApi(program.main, settings).then(running),
      startApi(program.main, settings).then(running),
      newWorker(),
    ]);
    user = ending<GraphqlUser>((each) => each.close())(new GraphqlUser(api.url, adminToken));
    otherUser = ending<GraphqlUser>((each) => each.close())(new GraphqlUser(otherApi.url, adminToken));
  });

  afterAll(async () => {
    for (const end of endings.reverse()) await end();
  });

  const mariadbInput = (name: string, server: MariadbServer) => ({
    projectId,
    name,
    engine: 'MARIADB',
    host: '127.0.0.1',
    port: server.port,
    username: server.username,
    password: server.password,
  });
  const swiftInput = (password = 'demopass') => ({
    projectId,
    name: 'container',
    prefix: 'stowage/',
    settings: {
      swift: {
        authUrl: keystone.authUrl,
        container,
        region: 'RegionOne',
        createContainer: true,
        credentials: { serviceUser: { username: 'demo', password, project: 'demo' } },
      },
    },
  });

  /** The environment of a person who uses the swift command with only the credentials of the Service User. */
  const personsEnvironment = () => ({
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    OS_IDENTITY_API_VERSION: '3',
    OS_AUTH_URL: keystone.authUrl,
    OS_USERNAME: 'demo',
    OS_PASSWORD: 'demopass',
    OS_USER_DOMAIN_NAME: 'Default',
    OS_PROJECT_NAME: 'demo',
    OS_PROJECT_DOMAIN_NAME: 'Default',
    OS_REGION_NAME: 'RegionOne',
  });
  const shell = async (line: string) => {
    const { stdout } = await promisify(execFile)('bash', ['-o', 'pipefail', '-c', line], {
      env: personsEnvironment(),
      encoding: 'buffer',
      maxBuffer: 256 * 1024 * 1024,
    });
    return stdout;
  };
  const listed = async (prefix: string) =>
    (await shell(`swift list ${container} --prefix '${prefix}'`)).toString().split('\n').filter(Boolean);

  const queue = async (): Promise<string> => {
    const { startBackup } = await user.execute<{ startBackup: { jobs: readonly [{ id: string }] } }>(
      'mutation ($planId: ID!) { startBackup(input: { planId: $planId }) { jobs { id } } }',
      { planId },
    );
    return startBackup.jobs[0].id;
  };
  const watch = (id: string, by = user): ReceivedMessages<Job> =>
    by.subscribe<Job>('backupJob', backupSubscription, { id });
  const countEvents = async () =>
    (
      await user.execute<{ events: { totalCount: number } }>(
        'query ($projectId: ID) { events(projectId: $projectId) { totalCount } }',
        { projectId },
      )
    ).events.totalCount;

  const expectIdentical = async (copy: MariadbServer) => {
    expect(await fingerprint(copy, databases)).toEqual(await fingerprint(source, databases));
    await copy.sql('DROP DATABASE bulk; DROP DATABASE harbour;');
  };

  test('Validate shows each step of the check, and saves nothing', async () => {
    const created = await user.execute<{ createProject: { id: string } }>(
      'mutation { createProject(name: "Harbour authority") { id } }',
    );
    projectId = created.createProject.id;
    const events = await countEvents();
    const service = 'mutation ($input: ServiceInput!) { validateService(input: $input) { ok steps { name status } } }';
    const good = await user.execute<{ validateService: Check }>(service, { input: mariadbInput('source', source) });
    expect(good.validateService).toEqual({
      ok: true,
      steps: ['RESOLVE', 'CONNECT', 'AUTHENTICATE', 'TOOL', 'PRIVILEGES', 'SETTINGS'].map((name) => ({
        name,
        status: 'OK',
      })),
    });

    const endpoint = `mutation ($input: FileEndpointInput!) {
      validateFileEndpoint(input: $input) { ok steps { name status } } }`;
    const wrong = await user.execute<{ validateFileEndpoint: Check }>(endpoint, { input: swiftInput('not it') });
    expect(wrong.validateFileEndpoint.ok).toBe(false);
    expect(wrong.validateFileEndpoint.steps).toContainEqual({ name: 'AUTHENTICATE', status: 'FAILED' });
    const right = await user.execute<{ validateFileEndpoint: Check }>(endpoint, { input: swiftInput() });
    expect(right.validateFileEndpoint.steps.filter(({ status }) => status === 'FAILED')).toEqual([]);
    expect(right.validateFileEndpoint.ok).toBe(true);
    expect((await shell('swift list')).toString()).toBe('');
    expect(await countEvents()).toBe(events);
  });

  test('Submit saves services and the file endpoint only once, even if it is sent repeatedly', async () => {
    const register = 'mutation ($input: ServiceInput!) { registerService(input: $input) { id } }';
    type Registered = { registerService: { id: string } };
    serviceId = (await user.execute<Registered>(register, { input: mariadbInput('source', source) })).registerService
      .id;
    targetId = (await user.execute<Registered>(register, { input: mariadbInput('target', target) })).registerService.id;

    const create = `mutation ($input: FileEndpointInput!, $commandId: ID) {
      createFileEndpoint(input: $input, commandId: $commandId) { id location lastCheck { ok } } }`;
    type Created = { createFileEndpoint: { id: string; location: string; lastCheck: { ok: boolean } } };
    const submission = { input: swiftInput(), commandId: randomUUID() };
    const first = await user.execute<Created>(create, submission);
    fileEndpointId = first.createFileEndpoint.id;
    expect(first.createFileEndpoint.lastCheck.ok).toBe(true);
    const events = await countEvents();
    expect(await otherUser.execute<Created>(create, submission)).toEqual(first);
    await expect(user.execute(create, { ...submission, input: swiftInput('not it') })).rejects.toMatchObject({
      code: 'IDEMPOTENCY_MISMATCH',
    });
    expect(await countEvents()).toBe(events);
  });

  test('a plan runs by its schedule, and both APIs show live how its backup succeeds', async () => {
    const subscriptions = [user, otherUser].map((each) =>
      each.subscribe<Change>('backupJobChanges', changesSubscription, { projectId }),
    );
    for (const each of subscriptions) await each.until((all) => all.some(({ kind }) => kind === 'READY'), soonMs);

    const due = new Date(Math.ceil(Date.now() / 1000) * 1000 + 10_000);
    const frequency = `${due.getUTCSeconds()} ${due.getUTCMinutes()} ${due.getUTCHours()} * * *`;
    const { createBackupPlan } = await user.execute<{ createBackupPlan: { id: string; nextRunAt: string } }>(
      'mutation ($input: BackupPlanInput!) { createBackupPlan(input: $input) { id nextRunAt } }',
      {
        input: {
          serviceId,
          name: 'daily',
          fileEndpointIds: [fileEndpointId],
          frequency,
          retention: { style: 'DAYS', period: 7 },
        },
      },
    );
    planId = createBackupPlan.id;
    expect(new Date(createBackupPlan.nextRunAt)).toEqual(due);

    const changesOfBoth = await Promise.all(
      subscriptions.map((each) => each.until((all) => all.some(({ job }) => hasEnded(job)), soonMs)),
    );
    for (const each of subscriptions) each.stop();
    const [mine = [], others = []] = changesOfBoth.map((changes) =>
      changes.flatMap(({ job }) => (job === null ? [] : [job])),
    );
    for (const states of [mine, others]) {
      expect(states.map(({ status }) => status)).toContain('RUNNING');
      const versions = states.map(({ version }) => version);
      expect(versions).toEqual([...versions].sort((one, other) => one - other));
      expect(states.at(-1)).toMatchObject({
        status: 'SUCCEEDED',
        availability: 'STORED',
        error: null,
        progress: null,
      });
    }
    expect(mine.at(-1)).toEqual(others.at(-1));
    const byVersion = new Map(mine.map((job) => [job.version, withoutProgress(job)]));
    for (const job of others) expect(byVersion.get(job.version) ?? withoutProgress(job)).toEqual(withoutProgress(job));

    scheduled = mine.at(-1) as Job;
    expect(scheduled).toMatchObject({ trigger: 'SCHEDULE', attempts: [{ number: 1, outcome: 'SUCCEEDED' }] });
    expect(new Date(scheduled.scheduledFor ?? 0)).toEqual(due);
  });

  test('the object can be restored by hand with the command of the backup, and is identical', async () => {
    await writeFile(join(home, '.my.cnf'), `[client]\nuser=root\nsocket=${join(byHand.folder, 's')}\n`);
    const { objectName, checksum, restoreByHand } = databasesPart(scheduled);
    const stored = await shell(`swift download -o - ${container} ${objectName}`);
    expect(createHash('sha256').update(stored).digest('hex')).toBe(checksum);
    await shell(restoreByHand);
    await expectIdentical(byHand);
  });

  const restore = async (backupJobId: string) => {
    const { startRestore } = await user.execute<{ startRestore: { id: string } }>(
      'mutation ($input: StartRestoreInput!) { startRestore(input: $input) { id } }',
      { input: { backupJobId, target: { asNew: { serviceId: targetId } } } },
    );
    return startRestore.id;
  };
  const watchRestore = (id: string) =>
    user.subscribe<Job>(
      'restoreJob',
      `subscription ($id: ID!) { restoreJob(id: $id) { ${both} differences { path expected actual } } }`,
      { id },
    );
  let restoreId = '';

  test('the backup can be restored into another server with live progress, and is identical; an existing database is never overwritten', async () => {
    restoreId = await restore(scheduled.id);
    const states = await watchRestore(restoreId).untilComplete(soonMs);
    expect(states.at(-1)).toMatchObject({ status: 'SUCCEEDED', differences: [], error: null });
    expect(states.map(({ phase }) => phase)).toContain('RESTORING');
    const again = await restore(scheduled.id).then(
      async (id) => (await watchRestore(id).untilComplete(soonMs)).at(-1)?.error?.code,
      (error: unknown) => (error instanceof AnsweredError ? error.code : error),
    );
    expect(again).toBe('TARGET_EXISTS');
    await expectIdentical(target);
  });

  test('the log has the history of both jobs, for queries and for subscriptions', async () => {
    const storyOf = async (streamId: string) =>
      (
        await user.execute<{ events: { nodes: LogEvent[] } }>(
          `query ($streamId: ID) { events(streamId: $streamId, first: 200) { nodes { ${eventFields} } } }`,
          { streamId },
        )
      ).events.nodes;
    const story = await storyOf(scheduled.id);
    expect(story.map(({ type, data }) => data.phase ?? type)).toEqual([
      'BackupQueued',
      'BackupAttemptStarted',
      'PREFLIGHT',
      'DUMPING',
      'FINALISING',
      'VERIFYING',
      'BackupSucceeded',
      // Two restores have read the backup. The second one was refused.
      'BackupReserved',
      'BackupReleased',
      'BackupReserved',
      'BackupReleased',
    ]);
    expect(story.map(({ version }) => version)).toEqual(story.map((_, index) => index + 1));
    for (const { summary, actor } of story) {
      expect(summary).toMatch(/\w/);
      expect(actor).toMatch(/\w/);
    }
    expect((await storyOf(restoreId)).map(({ type, data }) => data.phase ?? type)).toEqual([
      'RestoreQueued',
      'RestoreAttemptStarted',
      'PREFLIGHT',
      'FETCHING',
      'RestoreToolStarted',
      'RESTORING',
      'CHECKING',
      'RestoreSucceeded',
    ]);

    const log = await user.execute<{ events: { nodes: LogEvent[] } }>(
      `query ($projectId: ID) { events(projectId: $projectId, first: 200) { nodes { ${eventFields} } } }`,
      { projectId },
    );
    const subscription = otherUser.subscribe<LogEvent>(
      'events',
      `subscription ($projectId: ID) { events(projectId: $projectId, after: "0") { ${eventFields} } }`,
      { projectId },
    );
    await subscription.until((subscriptions) => subscriptions.length >= log.events.nodes.length, soonMs);
    subscription.stop();
    expect(subscription.messages).toEqual(log.events.nodes);
  });

  const workersShown = async () => {
    const query = '{ workers { pid state engines { tool } jobs { phase backupJob { id } } } }';
    return (await user.execute<{ workers: readonly ShownWorker[] }>(query)).workers;
  };

  /** Stops the dump in the middle: `bulk` has been read when the dump reaches this table. */
  const dumpHeldUp = async (job: ReceivedMessages<Job>) => {
    await job.until((states) => states.some(({ phase }) => phase === 'DUMPING'), soonMs);
    const release = await heldTable(source, 'harbour.ships');
    // The count of rows may wait for the table before the dump tool starts.
    await eventually('the dump tool runs', async () =>
      Promise.resolve(descendantsOf(process.pid).some(({ name }) => name === 'mariadb-dump')),
    );
    await eventually('the dump waits for the table', async () =>
      (await source.sql('SELECT state FROM information_schema.processlist')).includes('table metadata lock'),
    );
    return release;
  };

  test(
    'the tools of a worker that is killed in the middle of a dump end with it, and another worker does the job',
    async () => {
      const id = await queue();
      const job = watch(id);
      const release = await dumpHeldUp(job);
      const children = descendantsOf(worker.pid);
      expect(children.map(({ name }) => name)).toEqual(expect.arrayContaining(['mariadb-dump', 'zstd']));
      for (const { pid } of children) {
        for (const secret of secrets()) expect(shownBy(pid)).not.toContain(secret);
      }
      const [before] = await workersShown();
      expect(before).toMatchObject({ pid: worker.pid, state: 'BUSY', jobs: [{ backupJob: { id }, phase: 'DUMPING' }] });
      expect(before?.engines.map(({ tool }) => tool)).toContain('mariadb-dump');
      await worker.kill();
      await untilExited(children);
      await release();
      const folders = await listed('stowage/');
      expect(job.messages.at(-1)).toMatchObject({ status: 'RUNNING', attempts: [{ number: 1, outcome: null }] });

      worker = await newWorker();
      const states = await job.untilComplete(lostWorkerMs);
      expect(states.at(-1)).toMatchObject({
        status: 'SUCCEEDED',
        attempts: [
          { number: 1, outcome: 'WORKER_LOST' },
          { number: 2, outcome: 'SUCCEEDED' },
        ],
      });
      await eventually('the killed worker is detected', async () => (await workersShown())[0]?.state === 'LOST');
      const after = await workersShown();
      expect(after.map(({ pid, state }) => [pid, state])).toEqual([
        [before?.pid, 'LOST'],
        [worker.pid, expect.stringMatching(/IDLE|BUSY/)],
      ]);
      expect(folders.filter((name) => name.endsWith('/backup.json'))).toHaveLength(1);
      expect((await listed('stowage/')).filter((name) => name.endsWith('/backup.json'))).toHaveLength(2);
      expect((await watchRestore(await restore(id)).untilComplete(soonMs)).at(-1)?.status).toBe('SUCCEEDED');
      await expectIdentical(target);
    },
    lostWorkerMs + 3 * soonMs,
  );

  test('a worker that is asked to end hands back unfinished jobs, exits with 0, and leaves no child process', async () => {
    const job = watch(await queue());
    const release = await dumpHeldUp(job);
    const children = descendantsOf(worker.pid);
    expect(await worker.terminate()).toBe(0);
    await untilExited(children);
    expect(readdirSync('/dev/shm').filter((name) => name.includes(`-${worker.pid}-`))).toEqual([]);
    await release();

    // The stopped worker is no longer in the list, and the lost one is still shown.
    expect((await workersShown()).map(({ state }) => state)).toEqual(['LOST']);

    worker = await newWorker();
    const states = await job.untilComplete(soonMs);
    expect(states.at(-1)).toMatchObject({
      status: 'SUCCEEDED',
      attempts: [
        { number: 1, outcome: 'HANDED_BACK' },
        { number: 2, outcome: 'SUCCEEDED' },
      ],
    });
  });

  test('a deleted backup is removed from the container with its segments', async () => {
    const folder = databasesPart(scheduled).objectName.replace(/[^/]*$/, '');
    expect((await listed(folder)).length).toBeGreaterThan(3);
    const changes = user.subscribe<Change>('backupJobChanges', changesSubscription, { projectId });
    await changes.until((all) => all.some(({ kind }) => kind === 'READY'), soonMs);
    const remove = 'mutation ($id: ID!, $force: Boolean!) { deleteBackup(id: $id, force: $force) { availability } }';
    // A manual backup does not replace the only scheduled one.
    const refused = user.execute(remove, { id: scheduled.id, force: false });
    await expect(refused).rejects.toMatchObject({ code: 'CONFLICT' });
    await user.execute(remove, { id: scheduled.id, force: true });
    await changes.until((all) => all.some(({ job }) => job?.availability === 'DELETED'), soonMs);
    changes.stop();
    expect(await listed(folder)).toEqual([]);
    expect((await listed('stowage/')).filter((name) => name.endsWith('/backup.json'))).toHaveLength(2);
  });

  test('API and worker exit with 0 when they are asked to end', async () => {
    await Promise.all([user.close(), otherUser.close()]);
    expect(await Promise.all([api, otherApi, worker].map((each) => each.terminate()))).toEqual([0, 0, 0]);
  });

  const secrets = () => [
    source.password,
    JSON.stringify(source.password).slice(1, -1),
    'demopass',
    adminToken,
    masterKey,
    new URL(database.appUrl).password === '' ? adminToken : `:${new URL(database.appUrl).password}@`,
  ];

  test('the output of the processes, the stores and the container contain no secret', async () => {
    const documents = (await listed('stowage/')).filter((name) => name.endsWith('.json'));
    const written = {
      output: processes.map((each) => each.output()).join('\n'),
      tables: await everyRow(database.ownerUrl),
      documents: (await Promise.all(documents.map((name) => shell(`swift download -o - ${container} ${name}`)))).join(),
    };
    expect(written.output).toMatch(/An attempt has ended/);
    expect(written.tables).toContain('BackupSucceeded');
    expect(written.documents).toContain('stowage-backup');
    for (const [place, text] of Object.entries(written)) {
      for (const secret of secrets()) {
        if (text.includes(secret))
          throw new Error(
            `${place}: …${text.slice(Math.max(0, text.indexOf(secret) - 200), text.indexOf(secret))} and then a secret`,
          );
      }
      // Keystone's tokens (Fernet).
      expect({ place, hasToken: /gAAAA[\w-]{40}/.test(text) }).toEqual({ place, hasToken: false });
    }
  });
});

function hasEnded(job: Job | null): boolean {
  return job !== null && !['QUEUED', 'RUNNING'].includes(job.status);
}

function withoutProgress(job: Job): object {
  return { ...job, progress: null };
}

function databasesPart({ parts = [] }: Job): Part {
  const found = parts.filter(({ objectName }) => !objectName.includes('/users.'));
  const [part] = found;
  if (part === undefined || found.length > 1)
    throw new Error(`There is not one part with databases but ${found.length}.`);
  return part;
}

/** Locks the table against readers until the returned function is called. */
async function heldTable(server: MariadbServer, table: string): Promise<() => Promise<void>> {
  const mark = `held ${randomUUID()}`;
  const held = server.sql(`LOCK TABLES ${table} WRITE; SELECT SLEEP(600) /* ${mark} */;`).catch(() => undefined);
  const session = () =>
    server.sql(`SELECT id FROM information_schema.processlist WHERE info LIKE '%${mark}%' AND id <> CONNECTION_ID()`);
  await eventually('the table is locked', async () => (await session()) !== '');
  return async () => {
    await server.sql(`KILL ${await session()}`);
    await held;
  };
}

function untilExited(processes: readonly { readonly pid: number }[]): Promise<void> {
  return eventually('its child processes have ended', () =>
    Promise.resolve(!processes.some(({ pid }) => existsSync(`/proc/${pid}`))),
  );
}

async function eventually(what: string, test: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + soonMs;
  while (!(await test())) {
    if (Date.now() > deadline) throw new Error(`Not within ${soonMs / 1000} s: ${what}`);
    await pause(50);
  }
}

/** The parts of a process that other users or other processes of the machine can read. */
function shownBy(pid: number): string {
  return ['cmdline', 'environ'].map((file) => readFileSync(`/proc/${pid}/${file}`, 'utf8')).join('\n');
}

/** The whole database as text. */
async function everyRow(url: string): Promise<string> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const tables = await client.query<{ name: string }>(
      `SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables
        WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_type = 'BASE TABLE'`,
    );
    const texts: string[] = [];
    for (const { name } of tables.rows) {
      const { rows } = await client.query<{ row: string }>(`SELECT to_jsonb(t)::text AS row FROM ${name} t`);
      texts.push(...rows.map(({ row }) => `${name}: ${row}`));
    }
    return texts.join('\n');
  } finally {
    await client.end();
  }
}
