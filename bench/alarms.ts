/**
 * Measures how late alarms fire: the time from their due time (or from setting an alarm that is already due) to the call of the handler. It
 * compares both stores with a bare Agenda (its own backend, an empty handler, the same settings), in turns.
 *
 *   node --import @swc-node/register/esm-register bench/alarms.ts
 */
import { MongoBackend } from '@agendajs/mongo-backend';
import { PostgresBackend } from '@agendajs/postgres-backend';
import { Agenda, type AgendaBackend } from 'agenda';
import { defaults } from '../src/scheduler/agenda/agendaAlarmClock.js';
import { openMongoAlarmClock } from '../src/scheduler/agenda/mongoAlarmClock.js';
import { openPostgresAlarmClock } from '../src/scheduler/agenda/postgresAlarmClock.js';
import type { AlarmClock } from '../src/scheduler/alarmClock.js';
import { Secret } from '../src/secret.js';
import { brief } from './brief.js';
import { startMongo } from '../test/fixtures/servers/mongo.js';
import { startPostgres } from '../test/fixtures/servers/postgres.js';

const rounds = 1;
const planned = brief ? 3 : 150;
const apartMs = 37;
const atOnce = brief ? 2 : 20;

type Subject = { set(id: string, at: Date): Promise<void>; stop(): Promise<void> };
type Open = (called: (id: string) => void) => Promise<Subject>;

const mongo = await startMongo();
const postgres = await startPostgres();
try {
  const contenders: readonly (readonly [string, Open])[] = [
    ['MongoDB, bare Agenda', (called) => bare(new MongoBackend({ address: mongo.newDatabaseUrl() }), called)],
    [
      'MongoDB, alarm clock',
      (called) => openMongoAlarmClock({ url: new Secret(mongo.newDatabaseUrl()), onError }).then(ours(called)),
    ],
    [
      'PostgreSQL, bare Agenda',
      async (called) =>
        bare(new PostgresBackend({ connectionString: await emptyDatabase(), disableNotifications: true }), called),
    ],
    [
      'PostgreSQL, alarm clock',
      async (called) =>
        openPostgresAlarmClock({ connectionString: new Secret(await emptyDatabase()), onError }).then(ours(called)),
    ],
  ];
  const late = new Map(contenders.map(([name]) => [name, { due: [] as number[], set: [] as number[] }]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, open] of contenders) {
      const measured = await measure(open);
      late.get(name)?.due.push(...measured.due);
      late.get(name)?.set.push(...measured.set);
    }
  }
  console.log(`${mongo.kind}; Agenda polls every ${defaults.processEveryMs} ms; times in ms`);
  console.table(
    Object.fromEntries(
      [...late].map(([name, { due, set }]) => [
        name,
        {
          alarms: due.length,
          'due p50': at(due, 0.5),
          'due p99': at(due, 0.99),
          'set now p50': at(set, 0.5),
          'set now p99': at(set, 0.99),
        },
      ]),
    ),
  );
} finally {
  await mongo.stop();
  await postgres.stop();
}

async function measure(open: Open): Promise<{ due: number[]; set: number[] }> {
  const waiting = new Map<string, { at: number; done: (lateMs: number) => void }>();
  const subject = await open((id) => {
    const alarm = waiting.get(id);
    alarm?.done(Date.now() - alarm.at);
  });
  const set = async (id: string, at: number) => {
    const called = new Promise<number>((done) => waiting.set(id, { at, done }));
    await subject.set(id, new Date(at));
    return { called };
  };
  const first = Date.now() + 3_000;
  const sets = await Promise.all(Array.from({ length: planned }, (_, i) => set(`due${i}`, first + i * apartMs)));
  const due = await Promise.all(sets.map(({ called }) => called));
  const now: number[] = [];
  for (let i = 0; i < atOnce; i += 1) now.push(await (await set(`now${i}`, Date.now())).called);
  await subject.stop();
  return { due, set: now };
}

async function bare(backend: AgendaBackend, called: (id: string) => void): Promise<Subject> {
  const agenda = new Agenda({
    backend,
    processEvery: defaults.processEveryMs,
    defaultConcurrency: 100,
    maxConcurrency: 200,
    removeOnComplete: true,
  });
  agenda.define<{ id: string }>('alarm', (job) => {
    called(job.attrs.data.id);
    return Promise.resolve();
  });
  await agenda.start();
  return {
    async set(id, at) {
      await agenda.schedule(at, 'alarm', { id });
    },
    async stop() {
      // drain() waits for ever for a run whose end was reported before the call.
      await agenda.stop();
    },
  };
}

function ours(called: (id: string) => void): (clock: AlarmClock) => Promise<Subject> {
  return async (clock) => {
    await clock.start({
      planTick: () => Promise.resolve(),
      jobDue: ({ jobId }) => {
        called(jobId);
        return Promise.resolve();
      },
    });
    return { set: (jobId, at) => clock.set({ kind: 'JOB_DUE', jobId, at }), stop: () => clock.stop() };
  };
}

async function emptyDatabase(): Promise<string> {
  return (await postgres.createEmptyDatabase()).ownerUrl;
}

function onError(error: unknown): void {
  console.error(error);
}

function at(times: readonly number[], share: number): number | undefined {
  return [...times].sort((a, b) => a - b)[Math.floor(share * (times.length - 1))];
}
