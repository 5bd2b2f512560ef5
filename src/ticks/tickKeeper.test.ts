import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { pino } from 'pino';
import { mongoMissing, startMongo } from '../../test/fixtures/servers/mongo.js';
import { startPlanApi, type PlanApi } from '../../test/fixtures/api/planApi.js';
import { postgresMissing, type TestPostgres } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { until } from '../../test/fixtures/until.js';
import { backupJob } from '../backups/backupJob.js';
import { backupHandling } from '../backups/backupJobCommands.js';
import { cancelJob } from '../jobs/jobCommands.js';
import { BackupJobTable, type BackupJobRow } from '../backups/backupJobView.js';
import type { JobQueue } from '../postgres/contracts/jobQueue.js';
import type { Signals } from '../postgres/contracts/telemetry.js';
import { createFeed, type RunningFeed } from '../postgres/feed.js';
import { createJobQueue } from '../postgres/jobQueue.js';
import { createNotifications, type Notifications } from '../postgres/notifications.js';
import { createSignals } from '../postgres/signals.js';
import { openMongoAlarmClock } from '../scheduler/agenda/mongoAlarmClock.js';
import { openPostgresAlarmClock } from '../scheduler/agenda/postgresAlarmClock.js';
import { alarmKey, type Alarm, type AlarmClock } from '../scheduler/alarmClock.js';
import { nextRun } from '../scheduler/cron/nextRun.js';
import { parseFrequency } from '../scheduler/cron/parseFrequency.js';
import { runsBetween } from '../scheduler/cron/runsBetween.js';
import { Secret } from '../secret.js';
import { backupPlan, type MissedTicks, type PlanContent } from '../plans/backupPlan.js';
import { BackupPlanTable } from '../plans/backupPlanView.js';
import { createTickKeeper, type TickKeeper, type TickKeeperOptions } from './tickKeeper.js';
import { tickJobId } from './tickIds.js';
import { kindNames } from '../../test/fixtures/kindNames.js';

/** A store of alarms, which is empty at first. */
type AlarmStore = {
  open(): Promise<AlarmClock>;
  /** Stops the answers of the store until the returned function is called. */
  interrupt(): Promise<() => Promise<void>>;
};
/** A server of alarms, and the stores on it. */
type AlarmServer = { newStore(): Promise<AlarmStore>; stop(): Promise<void> };

const quick = { processEveryMs: 200, firstRetryMs: 50, onError: () => undefined };
const everySecond = '0-59 * * * * *';
const hourMs = 3_600_000;
/** A run with PLANS=1000 takes a minute on a busy machine. */
const manyPlans = Number(process.env['PLANS'] ?? 200);

describeWith(
  { postgresql: await postgresMissing(), mongodb: await mongoMissing() },
  'the tick keeper with alarms in MongoDB',
  () => keeperSuite(mongoAlarms),
);
describeWith({ postgresql: await postgresMissing() }, 'the tick keeper with alarms in PostgreSQL', () =>
  keeperSuite(postgresAlarms),
);

function keeperSuite(startAlarms: (postgres: TestPostgres) => Promise<AlarmServer>): void {
  let api: PlanApi;
  let alarms: AlarmServer;
  let store: AlarmStore;
  let notifications: Notifications;
  let feed: RunningFeed;
  let signals: Signals;
  let queue: JobQueue;
  /** The clock of the API and of the keepers. Alarms use the real clock. */
  let now: () => Date;
  /** Reads the store, and fires no alarm. */
  let clock: AlarmClock;
  let opened: (TickKeeper | AlarmClock)[] = [];

  beforeAll(async () => {
    api = await startPlanApi({ minIntervalMs: 1_000, now: () => now() });
    alarms = await startAlarms(api.postgres);
    notifications = createNotifications({ connectionString: api.postgres.appUrl, onError: () => undefined });
    await notifications.start();
    feed = createFeed({ notifications, store: api.store, onError: () => undefined });
    await feed.start();
    signals = createSignals(api.dataSource, notifications);
    queue = createJobQueue(api.dataSource);
  }, 300_000);
  afterAll(async () => {
    await feed.stop();
    await notifications.stop();
    await alarms.stop();
    await api.stop();
  });
  beforeEach(async () => {
    now = () => new Date();
    store = await alarms.newStore();
    clock = await store.open();
    opened = [clock];
  });
  afterEach(async () => {
    for (const each of opened.toReversed()) await each.stop();
    const plans = await api.dataSource.manager.findBy(BackupPlanTable, { paused: false });
    for (const { id, removedAt } of plans) if (removedAt === null) await change('removeBackupPlan', id);
    const waiting = await api.dataSource.manager.findBy(BackupJobTable, { status: 'QUEUED' });
    for (const job of waiting) {
      const metadata = { actor: 'test', correlationId: job.batchId };
      await api.store.transact(metadata, (tx) => cancelJob(tx, queue, backupHandling, job, 'test', new Date()));
    }
  });

  const startKeeper = async (options: Partial<TickKeeperOptions> = {}) => {
    const keeper = createTickKeeper({
      ...{ store: api.store, dataSource: api.dataSource, queue, feed, signals, now: () => now() },
      clock: options.clock ?? (await store.open()),
      log: pino({ enabled: false }),
      ...options,
    });
    opened.push(keeper);
    await keeper.start();
    return keeper;
  };
  const change = async (field: string, id: string, input?: object) => {
    const source =
      input === undefined
        ? `mutation ($id: ID!) { ${field}(id: $id) { id } }`
        : `mutation ($id: ID!, $input: BackupPlanPatch!) { ${field}(id: $id, input: $input) { id } }`;
    expect((await api.call(source, { id, input })).code).toBeUndefined();
  };
  const jobsOf = (planId: string): Promise<BackupJobRow[]> =>
    api.dataSource.manager.find(BackupJobTable, { where: { planId }, order: { scheduledFor: 'ASC', queuedAt: 'ASC' } });
  const armed = async () => (await clock.list()).map((alarm) => ({ key: alarmKey(alarm), at: alarm.at }));
  const untilArmed = async (wanted: readonly Alarm[]) => {
    const expected = wanted.map((alarm) => ({ key: alarmKey(alarm), at: alarm.at }));
    const text = (each: readonly object[]) => JSON.stringify(each.map((alarm) => JSON.stringify(alarm)).toSorted());
    let seen = '';
    await until(async () => (seen = text(await armed())) === text(expected), `the alarms are ${text(expected)}`).catch(
      (error: unknown) => {
        throw new Error(`They are ${seen}`, { cause: error });
      },
    );
  };
  const tick = (planId: string, version: number, typed: string): Alarm => {
    const at = nextRun(parseFrequency(typed), 'UTC', new Date());
    if (at === undefined) throw new Error(`${typed} never runs.`);
    return { kind: 'PLAN_TICK', planId, version, at };
  };
  /** The plan runs daily, half a day from now, so that no tick is due during the test. */
  const farAway = (shiftHours = 0) => `0 0 ${(new Date().getUTCHours() + 12 + shiftHours) % 24} * * *`;

  test('fires the alarm of a plan by its schedule, and workers claim its jobs in the order of its destinations', async () => {
    let calls = 0;
    const unsubscribe = signals.subscribe('work', () => (calls += 1));
    await startKeeper();
    const endpoints = [await api.createEndpoint(), await api.createEndpoint()];
    const { id } = await api.createPlan({ frequency: everySecond, fileEndpointIds: endpoints });
    await until(async () => (await jobsOf(id)).length > 0, 'the plan has fired');
    const [first, second] = await jobsOf(id);
    expect([first, second]).toMatchObject(
      endpoints.map((fileEndpointId) => ({
        ...{ status: 'QUEUED', trigger: 'SCHEDULE', fileEndpointId, batchId: first?.batchId },
        ...{ id: tickJobId(id, first?.scheduledFor ?? new Date(0), fileEndpointId), scheduledFor: first?.scheduledFor },
      })),
    );
    await until(() => calls > 0, 'the workers were called');
    for (const job of [first, second]) {
      const lease = await api.dataSource.transaction((manager) =>
        queue.claim(manager, 'w', ['MARIADB'], 60_000, kindNames),
      );
      expect(lease?.jobId).toBe(job?.id);
      await api.dataSource.transaction((manager) => queue.remove(manager, lease?.jobId ?? ''));
    }
    unsubscribe();
  });

  test('queues one job for each tick and destination with four keepers of one clock, and skips overtaken ticks', async () => {
    const endpoints = [await api.createEndpoint(), await api.createEndpoint()];
    await Promise.all([startKeeper(), startKeeper(), startKeeper(), startKeeper()]);
    const { id } = await api.createPlan({ frequency: everySecond, fileEndpointIds: endpoints });
    await until(async () => (await jobsOf(id)).length >= 8, 'four ticks were handled', 60_000);
    await change('pauseBackupPlan', id);
    const jobs = await jobsOf(id);
    const missed = (await api.store.read({ streamId: id }))
      .filter(({ type }) => type === 'TicksMissed')
      .map(({ data }) => data as MissedTicks);
    for (const endpointId of endpoints) {
      const [queued, ...later] = jobs.filter(({ fileEndpointId }) => fileEndpointId === endpointId);
      if (queued?.scheduledFor === undefined || queued.scheduledFor === null) throw new Error('There is no first job.');
      expect(queued.status).toBe('QUEUED');
      for (const job of later) expect(job).toMatchObject({ status: 'SKIPPED', skippedFor: queued.id });
      const handled = [queued, ...later].map(({ scheduledFor }) => scheduledFor?.getTime() ?? 0);
      for (const { from, to } of missed.filter(({ fileEndpointId }) => fileEndpointId === endpointId)) {
        for (let at = Date.parse(from); at <= Date.parse(to); at += 1_000) handled.push(at);
      }
      const [start, end] = [Math.min(...handled), Math.max(...handled)];
      const ticks = runsBetween(parseFrequency(everySecond), 'UTC', new Date(start - 1), new Date(end), Infinity);
      expect(handled.toSorted()).toEqual(ticks.map((each) => each.getTime()));
    }
    // The stream of the job has version 1, so the job was queued once.
    expect(jobs.map(({ version }) => version)).toEqual(jobs.map(() => 1));
  });

  test('follows every change of a plan, without waiting for the next comparison', async () => {
    await startKeeper({ reconcileMs: 60_000 });
    const [early, late] = [farAway(), farAway(1)];
    const { id } = await api.createPlan({ frequency: early });
    await untilArmed([tick(id, 1, early)]);
    await change('updateBackupPlan', id, { name: 'renamed', maxAttempts: 4 });
    await change('updateBackupPlan', id, { frequency: late });
    await untilArmed([tick(id, 2, late)]);
    await change('pauseBackupPlan', id);
    await untilArmed([]);
    await change('resumeBackupPlan', id);
    await untilArmed([tick(id, 4, late)]);
    // One change causes two versions.
    await change('updateBackupPlan', id, { frequency: early, paused: true });
    await untilArmed([]);
    await change('updateBackupPlan', id, { paused: false });
    await untilArmed([tick(id, 7, early)]);
    await change('removeBackupPlan', id);
    await untilArmed([]);
  });

  test('sets lost alarms again, cancels stale alarms, and reports the number of repaired alarms', async () => {
    const repaired: number[] = [];
    await startKeeper({ reconcileMs: 200, onRepaired: (count) => repaired.push(count) });
    const frequency = farAway();
    const plans = [await api.createPlan({ frequency }), await api.createPlan({ frequency })];
    const wanted = plans.map(({ id }) => tick(id, 1, frequency));
    await untilArmed(wanted);
    await until(() => repaired.at(-1) === 0, 'nothing is left to repair');
    repaired.length = 0;
    for (const { key } of await armed()) await clock.cancel(key);
    await untilArmed(wanted);
    const [first] = wanted;
    if (first === undefined) throw new Error('There is no alarm.');
    const at = new Date(first.at.getTime() + hourMs);
    await clock.setAll([
      { ...first, at },
      { kind: 'PLAN_TICK', planId: 'nobody', version: 3, at },
    ]);
    await untilArmed(wanted);
    await until(() => repaired.reduce((sum, count) => sum + count, 0) >= 4, 'four alarms were repaired');
  });

  test('only counts its alarms while no plan changes, and reads them if some are lost or a plan has changed', async () => {
    const watched = await store.open();
    let lists = 0;
    let counts = 0;
    const list = watched.list.bind(watched);
    const count = watched.count.bind(watched);
    watched.list = () => {
      lists += 1;
      return list();
    };
    watched.count = (kind) => {
      counts += 1;
      return count(kind);
    };
    const [early, late] = [farAway(), farAway(1)];
    const { id } = await api.createPlan({ frequency: early });
    await startKeeper({ reconcileMs: 50, clock: watched });
    await untilArmed([tick(id, 1, early)]);
    const seen = counts;
    await until(() => counts > seen + 5, 'the alarms were counted again and again');
    expect(lists).toBe(1);
    await clock.cancelAll((await armed()).map(({ key }) => key));
    await untilArmed([tick(id, 1, early)]);
    expect(lists).toBe(2);
    await change('updateBackupPlan', id, { frequency: late });
    await untilArmed([tick(id, 2, late)]);
    await until(() => lists === 3, 'the alarms were compared after the change');
  });

  test('leaves exactly one tick of each plan after 8 simultaneous comparisons, also after all alarms were lost', async () => {
    const frequency = farAway();
    const projectId = api.projectId;
    const content: PlanContent = {
      ...{
        name: 'one of many',
        fileEndpointIds: [await api.createEndpoint()],
        typed: frequency,
        normalized: frequency,
      },
      ...{ timeZone: 'UTC', retention: { style: 'FILES', period: 7 }, maxAttempts: 3, catchUpWindowMs: null },
      ...{
        timeoutMs: null,
        stallTimeoutMs: 60_000,
        yieldToLocks: true,
        driftThreshold: null,
        includeUsers: 'NONE',
        compression: 'BALANCED',
        description: null,
      },
    };
    const ids = Array.from({ length: manyPlans }, () => randomUUID());
    const metadata = { actor: 'test', correlationId: randomUUID() };
    const at = new Date().toISOString();
    const create = { kind: 'CREATE', serviceId: api.serviceId, content, paused: false, at } as const;
    await api.store.transact(metadata, async (tx) => {
      for (const id of ids) await tx.execute(backupPlan, { id, projectId }, create);
    });
    const wanted = ids.map((id) => tick(id, 1, frequency));
    const replicas = await Promise.all(Array.from({ length: 8 }, () => startKeeper()));
    await untilArmed(wanted);
    await clock.cancelAll((await armed()).map(({ key }) => key));
    for (const each of replicas) await each.stop();
    opened = [clock];
    await Promise.all(Array.from({ length: 8 }, () => startKeeper()));
    await untilArmed(wanted);
    await api.store.transact(metadata, async (tx) => {
      for (const id of ids) await tx.execute(backupPlan, { id, projectId }, { kind: 'REMOVE', at });
    });
    await untilArmed([]);
  });

  test('sets the alarms of other plans if the frequency of one plan is unknown', async () => {
    const frequency = farAway();
    const [odd, fine] = [await api.createPlan({ frequency }), await api.createPlan({ frequency })];
    const set = (normalized: string) => api.dataSource.manager.update(BackupPlanTable, { id: odd.id }, { normalized });
    await set('a dialect of the future');
    await startKeeper();
    await untilArmed([tick(fine.id, 1, frequency)]);
    await set(frequency);
  });

  test('changes nothing for an alarm of an old version', async () => {
    await startKeeper();
    const frequency = farAway();
    const { id } = await api.createPlan({ frequency: everySecond, paused: true });
    await change('updateBackupPlan', id, { frequency, paused: false });
    await untilArmed([tick(id, 3, frequency)]);
    const before = await api.countEvents();
    await clock.setAll([1, 2].map((version) => ({ kind: 'PLAN_TICK', planId: id, version, at: new Date() })));
    await untilArmed([tick(id, 3, frequency)]);
    expect(await api.countEvents()).toBe(before);
    expect(await jobsOf(id)).toEqual([]);
  });

  test('after days of downtime catches up once, records the other ticks, and waits for the next tick', async () => {
    const frequency = `0 0 ${(new Date().getUTCHours() + 21) % 24} * * *`;
    const downSince = new Date(Date.now() - 5 * 24 * hourMs);
    now = () => downSince;
    const { id } = await api.createPlan({ frequency });
    now = () => new Date();
    await startKeeper();
    await until(async () => (await jobsOf(id)).length > 0, 'the plan was caught up');
    const wanted = tick(id, 1, frequency);
    const latest = new Date(wanted.at.getTime() - 24 * hourMs);
    expect(await jobsOf(id)).toMatchObject([{ trigger: 'CATCH_UP', status: 'QUEUED', scheduledFor: latest }]);
    await until(
      async () => (await armed()).some(({ at }) => at.getTime() === wanted.at.getTime()),
      'the next is armed',
    );
    const events = await api.store.read({ streamId: id });
    expect(events.filter(({ type }) => type === 'TicksMissed')).toMatchObject([{ data: { count: 4 } }]);
  });

  test('notifies the workers when the next attempt of a job is due', async () => {
    let calls: { jobId: string; at: number }[] = [];
    const unsubscribe = signals.subscribe('work', (jobId) => calls.push({ jobId, at: Date.now() }));
    await startKeeper({ reconcileMs: 60_000 });
    const { id } = await api.createPlan({ frequency: everySecond });
    await until(async () => (await jobsOf(id)).length > 0, 'the plan has fired');
    await change('removeBackupPlan', id);
    const [job] = await jobsOf(id);
    const lease = await api.dataSource.transaction((manager) =>
      queue.claim(manager, 'w', ['MARIADB'], 60_000, kindNames),
    );
    if (job === undefined || lease?.jobId !== job.id) throw new Error('The job could not be claimed.');
    await until(async () => (await armed()).length === 0, 'no other alarm is left');

    // Calls arrive in the order in which they were sent. So all earlier calls have arrived when this call arrives.
    await signals.send('work', 'the last one');
    await until(() => calls.some(({ jobId }) => jobId === 'the last one'), 'all calls have come');
    calls = [];
    const dueAt = new Date(Date.now() + 1_500);
    const metadata = { actor: 'w', correlationId: job.batchId };
    const at = new Date().toISOString();
    await api.store.transact(metadata, async (tx) => {
      const attempt = { number: lease.attempt, worker: 'w', startedAt: at, folder: 'f/' };
      await tx.execute(backupJob, job, { kind: 'START_ATTEMPT', attempt });
      const error = { code: 'STALLED', message: 'm', hint: null, toolOutput: null, retriable: true };
      const failed = { attempt: lease.attempt, outcome: 'FAILED', error, at, retryAt: dueAt.toISOString() } as const;
      await tx.execute(backupJob, job, { kind: 'FAIL_ATTEMPT', ...failed });
      await queue.requeue(tx.manager, lease, dueAt);
    });
    await untilArmed([{ kind: 'JOB_DUE', jobId: job.id, at: dueAt }]);
    await until(() => calls.some(({ jobId }) => jobId === job.id), 'the workers were called');
    expect(calls.find(({ jobId }) => jobId === job.id)?.at).toBeGreaterThanOrEqual(dueAt.getTime());
    unsubscribe();
  });

  test('repairs the clock when its store answers again; until then plans can be created and changed', async () => {
    await startKeeper({ reconcileMs: 200 });
    const [before, after] = [farAway(), farAway(1)];
    const changed = await api.createPlan({ frequency: before });
    await untilArmed([tick(changed.id, 1, before)]);
    const restore = await store.interrupt();
    const created = await api.createPlan({ frequency: before });
    await change('updateBackupPlan', changed.id, { frequency: after });
    await restore();
    const wanted = [tick(changed.id, 2, after), tick(created.id, 1, before)];
    await until(
      async () => JSON.stringify(await armed().catch(() => [])).includes(created.id),
      'the store answers and the new plan is armed',
      60_000,
    );
    await untilArmed(wanted);
  });
}

async function mongoAlarms(): Promise<AlarmServer> {
  const server = await startMongo();
  return {
    newStore() {
      const url = new Secret(server.newDatabaseUrl());
      return Promise.resolve({
        open: () => openMongoAlarmClock({ url, ...quick }),
        interrupt: () => server.interrupt(),
      });
    },
    stop: () => server.stop(),
  };
}

function postgresAlarms(postgres: TestPostgres): Promise<AlarmServer> {
  return Promise.resolve({
    async newStore() {
      const { ownerUrl } = await postgres.createEmptyDatabase();
      const connectionString = new Secret(ownerUrl);
      return {
        open: () => openPostgresAlarmClock({ connectionString, ...quick }),
        async interrupt() {
          await allowConnections(postgres.adminUrl, ownerUrl, false);
          return () => allowConnections(postgres.adminUrl, ownerUrl, true);
        },
      };
    },
    stop: () => Promise.resolve(),
  });
}

async function allowConnections(adminUrl: string, url: string, allow: boolean): Promise<void> {
  const database = new URL(url).pathname.slice(1);
  const admin = new Client({ connectionString: adminUrl });
  await admin.connect();
  await admin.query(`ALTER DATABASE ${database} ALLOW_CONNECTIONS ${String(allow)}`);
  if (!allow)
    await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [database]);
  await admin.end();
}
