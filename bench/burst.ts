/**
 * Measures 2,000 plans that are due in one minute, the same number each second, with empty jobs. An API and four
 * workers run as separate processes. Their engine dumps nothing, into a storage that keeps nothing, but every tick,
 * claim, phase and end is a real transaction. It compares them with Agenda alone in four processes with an empty
 * handler, which runs before, on the same servers. With `--at-once` all plans are due at the same time.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Closing } from '../src/composition/closing.js';
import { openLog } from '../src/log.js';
import { brief } from './brief.js';
import { startBareAgenda } from './schedules/bareAgendaProcess.js';
import { startBenchWorker } from './schedules/benchWorkerProcess.js';
import { startGround, type BenchGround } from './schedules/ground.js';
import { planServices } from './schedules/plannedServices.js';

const usage = `node --import @swc-node/register/esm-register bench/burst.ts [options]

  --jobs N      the number of jobs (default 2000)
  --workers N   (default 4)
  --at-once     all at the same time instead of over a minute
  --only A,B    only these stores: mongodb, postgresql
  --brief       only shows that it works
  --help        print this help

Needs PostgreSQL, and a MongoDB or its replacement for tests.`;

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: brief ? '6' : '2000' },
    workers: { type: 'string', default: brief ? '1' : '4' },
    'at-once': { type: 'boolean', default: brief },
    only: { type: 'string', default: brief ? 'postgresql' : 'mongodb,postgresql' },
    brief: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const limitMs = 600_000;
if (values.help) console.log(usage);
else await bench(Number(values.jobs), Number(values.workers), values.only.split(','));

async function bench(count: number, workers: number, kinds: readonly string[]): Promise<void> {
  const closing = new Closing(openLog('json', 'error'));
  try {
    const ground = await startGround(closing, kinds);
    const table: Record<string, object> = {};
    for (const kind of kinds) {
      const own = new Closing(openLog('json', 'error'));
      try {
        const installed = await ground.install(kind, own);
        const alone = await agendaAlone(installed.bareUrl, count, workers);
        const ours = await stowage(installed, count, workers, own);
        table[kind] = {
          'our jobs/s': ours.rate.toFixed(1),
          'Agenda alone/s': alone.rate.toFixed(1),
          ratio: (ours.rate / alone.rate).toFixed(2),
          'ours until': `${ours.seconds.toFixed(1)} s`,
          'Agenda until': `${alone.seconds.toFixed(1)} s`,
          ours: ours.what,
          Agenda: alone.what,
        };
        console.table(table);
      } finally {
        await own.close();
      }
    }
    console.log(ground.mongoKind);
  } finally {
    await closing.close();
  }
}

type Burst = { readonly rate: number; readonly seconds: number; readonly what: string };

/** The due time of each plan: within the minute that begins at `first`. */
function dueAt(first: number, number: number): number {
  return values['at-once'] ? first : first + (number % 60) * 1_000;
}

async function agendaAlone(url: string, count: number, processes: number): Promise<Burst> {
  // The first process creates the tables or indexes, because Agenda's processes conflict when they do it together.
  const maker = await startBareAgenda(url);
  const others = await Promise.all(Array.from({ length: processes - 1 }, () => startBareAgenda(url)));
  const all = [maker, ...others];
  try {
    const first = Math.ceil(Date.now() / 1_000) * 1_000 + (brief ? 8_000 : 15_000);
    const alarms = Array.from({ length: count }, (_, n) => ({ id: String(n), atMs: dueAt(first, n) }));
    await maker.set({ alarms, parallel: 16 });
    if (Date.now() > first) throw new Error('Setting the documents took too long. Try again with fewer jobs.');
    const rang = () => all.flatMap((each) => [...each.rang.values()].flat());
    for (const end = first + limitMs; rang().length < count && Date.now() < end;) await pause(100);
    await pause(2_000);
    const seconds = (Math.max(...rang()) - first) / 1_000;
    const known = new Set(all.flatMap((each) => [...each.rang.keys()])).size;
    return { rate: known / seconds, seconds, what: `${known} ran, ${rang().length - known} twice` };
  } finally {
    for (const each of all) await each.stop();
  }
}

async function stowage(installed: BenchGround, count: number, workers: number, own: Closing): Promise<Burst> {
  const { projectId, fileEndpointId, dataSource, workerSettings } = installed;
  const all = await Promise.all(
    Array.from({ length: workers }, () => startBenchWorker('nothing', { ...workerSettings, concurrency: 4 })),
  );
  for (const each of all) own.add('worker', () => each.stop());
  const first = Math.ceil(Date.now() / 1_000) * 1_000 + (brief ? 8_000 : 45_000);
  await planServices(installed, {
    ...{ count, projectId, fileEndpointId },
    frequency(number) {
      const at = new Date(dueAt(first, number));
      return `${at.getUTCSeconds()} ${at.getUTCMinutes()} ${at.getUTCHours()} * * *`;
    },
  });
  if (Date.now() > first) throw new Error('Setting the plans took too long. Try again with fewer jobs.');
  const ended = async () => {
    const [row] = await dataSource.query<{ ended: number }[]>(
      "SELECT count(*)::int AS ended FROM backup_jobs WHERE status NOT IN ('QUEUED', 'RUNNING')",
    );
    return row?.ended ?? 0;
  };
  for (const end = first + limitMs; (await ended()) < count && Date.now() < end;) await pause(500);
  const [jobs] = await dataSource.query<{ succeeded: number; others: number; again: number; last: Date }[]>(
    `SELECT count(*) FILTER (WHERE status = 'SUCCEEDED')::int AS succeeded,
       count(*) FILTER (WHERE status <> 'SUCCEEDED')::int AS others,
       count(*) FILTER (WHERE attempt > 1)::int AS again, max(finished_at) AS last FROM backup_jobs`,
  );
  if (jobs === undefined) throw new Error('There are no jobs.');
  const seconds = (jobs.last.getTime() - first) / 1_000;
  const started = all.flatMap(({ startedAtMs }) => startedAtMs).length;
  const what = `${jobs.succeeded} succeeded, ${jobs.others} did not, ${started} dumps, ${jobs.again} tried again`;
  return { rate: jobs.succeeded / seconds, seconds, what };
}
