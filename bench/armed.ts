/**
 * Measures the cost of 10,000 plans with alarms: the processor time of all our processes (API and worker, the built
 * program) while nothing is due. It compares this with Agenda alone and the same number of documents. It also measures
 * how long it takes to set all alarms. Everything runs at the same time, so that a busy machine affects all in the same
 * way. The servers of the stores do not count.
 *
 * "Agenda alone" has our settings: it polls every 250 ms, as our alarm clock does while an alarm is near. The ratio
 * compares our alarm clock with this one. Our alarm clock pauses Agenda while no alarm is near, and then polls every 5
 * s. So a second Agenda always polls every 5 s. It gets no notifications, so alarms that another process sets for the
 * next seconds fire late there.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { randomBytes, randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Closing } from '../src/composition/closing.js';
import { openStores } from '../src/composition/stores.js';
import { openLog } from '../src/log.js';
import { restMs } from '../src/scheduler/agenda/restingAgenda.js';
import { openMongoAlarmClock } from '../src/scheduler/agenda/mongoAlarmClock.js';
import { openPostgresAlarmClock } from '../src/scheduler/agenda/postgresAlarmClock.js';
import { Secret } from '../src/secret.js';
import { buildProgram } from '../test/fixtures/processes/builtProgram.js';
import { brief } from './brief.js';
import { startMongo } from '../test/fixtures/servers/mongo.js';
import { startPostgres } from '../test/fixtures/servers/postgres.js';
import { startApi, startWorker } from '../test/fixtures/processes/stowageProcess.js';
import { processUse } from './pipeline/processUse.js';
import { startBareAgenda } from './schedules/bareAgendaProcess.js';
import { planServices } from './schedules/plannedServices.js';

const usage = `node --import @swc-node/register/esm-register bench/armed.ts [options]

  --plans N     the number of plans (default 10000)
  --seconds N   how long the processor time is measured (default 120)
  --only A,B    only these stores: mongodb, postgresql
  --brief       only shows that it works
  --help        print this help

Needs PostgreSQL, and a MongoDB or its replacement for tests.`;

const { values } = parseArgs({
  options: {
    plans: { type: 'string', default: brief ? '20' : '10000' },
    seconds: { type: 'string', default: brief ? '1' : '120' },
    only: { type: 'string', default: brief ? 'postgresql' : 'mongodb,postgresql' },
    brief: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) console.log(usage);
else await bench(Number(values.plans), Number(values.seconds), values.only.split(','));

async function bench(count: number, seconds: number, stores: readonly string[]): Promise<void> {
  const log = openLog('json', 'error');
  const closing = new Closing(log);
  try {
    const program = await buildProgram();
    closing.add('program', () => program.remove());
    const root = await mkdtemp(join(tmpdir(), 'stowage-bench-'));
    closing.add('folder', () => rm(root, { recursive: true }));
    const postgres = await startPostgres();
    closing.add('PostgreSQL', () => postgres.stop());
    const mongo = stores.includes('mongodb') ? await startMongo() : undefined;
    closing.add('MongoDB', async () => mongo?.stop());

    const table: Record<string, object> = {};
    for (const kind of stores) {
      const database = await postgres.createDatabase();
      const masterKey = randomBytes(32).toString('base64');
      const urls = { databaseUrl: new Secret(database.appUrl), migrationDatabaseUrl: new Secret(database.ownerUrl) };
      const planning = new Closing(log);
      const opened = await openStores({ ...urls, masterKeys: [new Secret(masterKey)], role: 'bench' }, log, planning);
      const farAway = (new Date().getUTCHours() + 12) % 24;
      await planServices(opened, {
        ...{ count, projectId: randomUUID(), fileEndpointId: randomUUID() },
        frequency: (n) => `0 ${n % 60} ${farAway} * * *`,
      });
      await planning.close();

      const mongoUrl = mongo?.newDatabaseUrl() ?? '';
      const settings = {
        DATABASE_URL: database.appUrl,
        MIGRATION_DATABASE_URL: database.ownerUrl,
        SCHEDULE_STORE_URL: kind === 'mongodb' ? mongoUrl : 'postgres',
        STOWAGE_MASTER_KEY: masterKey,
        STOWAGE_ADMIN_TOKEN: randomBytes(32).toString('hex'),
        STOWAGE_FILESYSTEM_ROOT: root,
      };
      const onError = (error: unknown) => console.error(error);
      const clock =
        kind === 'mongodb'
          ? await openMongoAlarmClock({ url: new Secret(mongoUrl), onError })
          : await openPostgresAlarmClock({ connectionString: urls.databaseUrl, onError });

      const began = performance.now();
      const starting = Promise.all([startApi(program.main, settings), startWorker(program.main, settings)]);
      while ((await clock.list()).length < count) await pause(100);
      const armedSeconds = (performance.now() - began) / 1_000;
      const ours = await starting;

      const far = Date.now() + 12 * 3_600_000;
      const alarms = Array.from({ length: count }, (_, n) => ({ id: `${n}`, atMs: far + n }));
      const startAgenda = async (processEveryMs?: number) =>
        startBareAgenda(
          kind === 'mongodb' ? (mongo?.newDatabaseUrl() ?? '') : (await postgres.createEmptyDatabase()).ownerUrl,
          processEveryMs,
        );
      const [bare, seldom] = [await startAgenda(), await startAgenda(restMs)];
      const setting = performance.now();
      await bare.set({ alarms, parallel: 16 });
      const setSeconds = (performance.now() - setting) / 1_000;
      await seldom.set({ alarms, parallel: 16 });

      // By then all work that follows the start is done, including garbage collection.
      await pause(brief ? 100 : 30_000);
      const pids = [...ours, bare, seldom].map(({ pid }) => pid);
      const used = () => pids.map((pid) => processUse(pid)?.processor.own ?? NaN);
      const before = used();
      await pause(seconds * 1_000);
      const [api = NaN, worker = NaN, alone = NaN, aloneSeldom = NaN] = used().map(
        (after, index) => after - (before[index] ?? NaN),
      );
      const share = (used: number) => `${((100 * used) / seconds).toFixed(2)} %`;
      table[kind] = {
        'API at rest': share(api),
        'worker at rest': share(worker),
        'Agenda alone': share(alone),
        'Agenda every 5 s': share(aloneSeldom),
        // Processor time is counted in hundredths of a second, so it may be 0 for a short time.
        ratio: alone === 0 ? 'not known' : ((api + worker) / alone).toFixed(2),
        'armed, with the start': `${armedSeconds.toFixed(1)} s`,
        'Agenda schedules': `${setSeconds.toFixed(1)} s`,
      };
      for (const each of [bare, seldom]) await each.stop();
      for (const each of ours) await each.terminate();
      await clock.stop();
    }
    console.log(`${mongo?.kind ?? ''}; ${count} plans; share of one core over ${seconds} s`);
    console.table(table);
  } finally {
    await closing.close();
  }
}
