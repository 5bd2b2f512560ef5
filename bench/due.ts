/**
 * Measures how long after its time the dump tool of a plan starts. An API and one worker run as separate processes,
 * with a real MariaDB server, the real mariadb-dump, and backups into a folder. It compares them with Agenda alone, in
 * a process of its own with the same alarm store, an empty handler and the same settings. The two alternate, with a
 * second in between, on the same machine. The tool counts as started when its process exists.
 */
import { parseArgs } from 'node:util';
import { setTimeout as pause } from 'node:timers/promises';
import { Closing } from '../src/composition/closing.js';
import { openLog } from '../src/log.js';
import { brief } from './brief.js';
import { startMariadb } from '../test/fixtures/servers/mariadb.js';
import { startBareAgenda } from './schedules/bareAgendaProcess.js';
import { startBenchWorker } from './schedules/benchWorkerProcess.js';
import { startGround } from './schedules/ground.js';
import { planServices } from './schedules/plannedServices.js';

const usage = `node --import @swc-node/register/esm-register bench/due.ts [options]

  --samples N   the number of plans, which are due one after another (default 40)
  --apart N     the seconds between two plans (default 2)
  --only A,B    only these stores: mongodb, postgresql
  --brief       only shows that it works
  --help        print this help

Needs MariaDB, PostgreSQL, and a MongoDB or its replacement for tests.`;

const { values } = parseArgs({
  options: {
    samples: { type: 'string', default: brief ? '2' : '40' },
    apart: { type: 'string', default: brief ? '1' : '2' },
    only: { type: 'string', default: brief ? 'postgresql' : 'mongodb,postgresql' },
    brief: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
/** The duration of each step of a job, from the times of its events. */
const steps = [
  ['due to queued', 'job.scheduled_for', 'job.queued_at'],
  ['queued to claimed', 'job.queued_at', 'job.started_at'],
  ['preflight', 'job.started_at', "(dumping.data ->> 'at')::timestamptz"],
] as const;

if (values.help) console.log(usage);
else await bench(Number(values.samples), Number(values.apart), values.only.split(','));

async function bench(samples: number, apartSeconds: number, kinds: readonly string[]): Promise<void> {
  const closing = new Closing(openLog('json', 'error'));
  try {
    const ground = await startGround(closing, kinds);
    const mariadb = await startMariadb();
    closing.add('MariaDB', () => mariadb.stop());
    await mariadb.sql('CREATE DATABASE harbour; CREATE TABLE harbour.ships (id INT PRIMARY KEY)');
    const table: Record<string, object> = {};
    for (const kind of kinds) {
      const own = new Closing(openLog('json', 'error'));
      try {
        const installed = await ground.install(kind, own);
        const worker = await startBenchWorker('mariadb', { ...installed.workerSettings, concurrency: 4 });
        own.add('worker', () => worker.stop());
        const bare = await startBareAgenda(installed.bareUrl);
        own.add('Agenda', () => bare.stop());

        const first = Math.ceil(Date.now() / 1_000) * 1_000 + (brief ? 8_000 : 15_000);
        const dueAtMs = Array.from({ length: samples }, (_, n) => first + n * apartSeconds * 1_000);
        const { projectId, fileEndpointId } = installed;
        const { port, username, password } = mariadb;
        await planServices(installed, {
          ...{ count: samples, projectId, fileEndpointId, port, username, password },
          frequency(number) {
            const at = new Date(dueAtMs[number] ?? 0);
            return `${at.getUTCSeconds()} ${at.getUTCMinutes()} ${at.getUTCHours()} * * *`;
          },
        });
        const between = (apartSeconds * 1_000) / 2;
        const alarms = dueAtMs.map((atMs, n) => ({ id: String(n), atMs: atMs + between }));
        await bare.set({ alarms, parallel: 4 });
        if (Date.now() > first) throw new Error('Setting the plans took too long. Try again with fewer samples.');
        const last = dueAtMs.at(-1) ?? 0;
        for (const end = last + 60_000; worker.startedAtMs.length < samples && Date.now() < end;) await pause(200);
        await pause(2_000);
        const ours = worker.startedAtMs.map((atMs, n) => atMs - (dueAtMs[n] ?? NaN));
        const alone = alarms.map(({ id, atMs }) => (bare.rang.get(id)?.[0] ?? NaN) - atMs);
        const jobs = await installed.dataSource.query<{ status: string; count: string }[]>(
          'SELECT status, count(*) FROM backup_jobs GROUP BY status',
        );
        const [way] = await installed.dataSource.query<Record<string, number>[]>(
          `SELECT ${steps
            .map(
              ([name, from, to]) => `percentile_cont(0.5) WITHIN GROUP (ORDER BY ${ms(to)} - ${ms(from)}) AS "${name}"`,
            )
            .join(', ')}
           FROM backup_jobs job
           JOIN events dumping ON dumping.stream_id = job.id::text AND dumping.data ->> 'phase' = 'DUMPING'`,
        );
        const dumping = await installed.dataSource.query<{ at: Date }[]>(
          `SELECT (dumping.data ->> 'at')::timestamptz AS at
           FROM backup_jobs job
           JOIN events dumping ON dumping.stream_id = job.id::text AND dumping.data ->> 'phase' = 'DUMPING'
           ORDER BY job.scheduled_for`,
        );
        const toTool = worker.startedAtMs.map((atMs, n) => atMs - (dumping[n]?.at.getTime() ?? NaN));
        const medians = { ...way, 'preflight to tool': at(toTool, 0.5) };
        console.log(`${kind}: the way to the dump, medians in ms: ${JSON.stringify(medians)}`);
        table[kind] = {
          samples: ours.length,
          'ours p50': at(ours, 0.5),
          'ours p99': at(ours, 0.99),
          'Agenda p50': at(alone, 0.5),
          'Agenda p99': at(alone, 0.99),
          'ours p50 - Agenda p50': (at(ours, 0.5) ?? NaN) - (at(alone, 0.5) ?? NaN),
          jobs: jobs.map(({ status, count }) => `${count} ${status}`).join(', '),
        };
        console.table(table);
      } finally {
        await own.close();
      }
    }
    console.log(`${ground.mongoKind}; milliseconds from due to the dump tool's process, and to the empty handler`);
    console.table(table);
  } finally {
    await closing.close();
  }
}

function ms(time: string): string {
  return `1000 * extract(epoch FROM ${time})`;
}

function at(times: readonly number[], share: number): number | undefined {
  return times.toSorted((a, b) => a - b)[Math.floor(share * (times.length - 1))];
}
