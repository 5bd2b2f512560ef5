import { randomUUID } from 'node:crypto';
import type { RecordedEvent } from '../../../src/eventSourcing/event.js';
import { backupHandling } from '../../../src/backups/backupJobCommands.js';
import { cancelJob } from '../../../src/jobs/jobCommands.js';
import { startWorker, type StowageProcess } from '../../fixtures/processes/stowageProcess.js';
import { eventually, startWorkerHarness, type WorkerHarness } from '../../fixtures/workerHarness.js';
import { startHostileMariadb } from '../servers/hostileMariadb.js';
import { AttemptCount, type StrangersGround, type StrangersGroup } from '../stranger.js';

/** Projects whose jobs hang in every slot of two workers, while a job of another project waits. */
export const greedyNeighbours: readonly StrangersGroup[] = [{ name: 'neighbours', run: beGreedy }];

/** The slots of two workers with the default concurrency. */
const slots = 4;
const rounds = { all: 10, sample: 1 };

type Trigger = 'MANUAL' | 'SCHEDULE';
type Job = { readonly id: string; readonly projectId: string };

/** The projects on a PostgreSQL of their own. All their services are at a server that accepts a login and never answers. */
type Street = {
  /** Queues a backup of another service for each of the jobs. */
  queue(projectId: string, trigger: Trigger, jobs?: number): Promise<void>;
  /** Waits until this number of attempts have started since the position. Returns their jobs in the order of their starts. */
  started(count: number, after: bigint): Promise<readonly Job[]>;
  head(): Promise<bigint>;
  /** Requests the cancellation as the API does. */
  cancel(job: Job): Promise<void>;
  /** Ends every job that waits or runs. */
  clear(): Promise<void>;
};

const scenes: readonly { readonly name: string; readonly wait: (street: Street) => Promise<number> }[] = [
  { name: 'a project whose backups hang in every slot', wait: besideHangingBackups },
  { name: 'the nightly schedules of many projects', wait: besideSchedules },
];

async function beGreedy(ground: StrangersGround): Promise<AttemptCount> {
  const count = new AttemptCount();
  const harness = await startWorkerHarness();
  const server = await startHostileMariadb({ name: 'never answers', answers: () => undefined });
  const workers: StowageProcess[] = [];
  try {
    const street = streetOf(harness, server.port);
    const settings = workerSettings(harness);
    // Workers have machines of their own. Here the API has priority over them, because its pings are measured.
    workers.push(...(await Promise.all([0, 1].map(() => startWorker(ground.main, settings, ['nice', '-n', '19'])))));
    for (let round = 0; round < (ground.all ? rounds.all : rounds.sample); round += 1) {
      for (const { name, wait } of scenes) {
        const waited = await wait(street);
        count.attempts += 1;
        count.slotsWaited = Math.max(count.slotsWaited ?? 0, waited);
        if (waited > 1) count.problems.push(`Beside ${name}, the job did not get the first slot that became free.`);
        await street.clear();
      }
    }
  } finally {
    const codes = await Promise.all(workers.map((worker) => worker.terminate()));
    for (const code of codes) if (code !== 0) count.problems.push(`A worker has ended with ${code ?? 'a signal'}.`);
    await server.stop();
    await harness.stop();
  }
  return count;
}

/** One project has more due jobs than slots, all started by hand. Another project's job is the newest. */
async function besideHangingBackups(street: Street): Promise<number> {
  const [greedy, other] = [randomUUID(), randomUUID()];
  const start = await street.head();
  await street.queue(greedy, 'MANUAL', 2 * slots);
  const hanging = await street.started(slots, start);
  return slotsUntilServed(street, hanging, other, () => street.queue(other, 'SCHEDULE'));
}

/**
 * A person starts a backup in a project whose scheduled backup hangs. Projects without any slot have waited for longer with
 * their schedules.
 */
async function besideSchedules(street: Street): Promise<number> {
  const own = randomUUID();
  const start = await street.head();
  await street.queue(own, 'SCHEDULE');
  await street.started(1, start);
  for (let project = 0; project < 2 * slots; project += 1) await street.queue(randomUUID(), 'SCHEDULE');
  const hanging = (await street.started(slots, start)).filter(({ projectId }) => projectId !== own);
  return slotsUntilServed(street, hanging, own, () => street.queue(own, 'MANUAL'));
}

/** Frees one slot after another. Returns how many became free until the project got one. Infinity: it got none of them. */
async function slotsUntilServed(
  street: Street,
  hanging: readonly Job[],
  projectId: string,
  queue: () => Promise<void>,
): Promise<number> {
  await queue();
  const before = await street.head();
  for (const [index, job] of hanging.entries()) {
    await street.cancel(job);
    const served = await street.started(index + 1, before);
    const place = served.findIndex((one) => one.projectId === projectId);
    if (place >= 0) return place + 1;
  }
  return Infinity;
}

function streetOf(harness: WorkerHarness, port: number): Street {
  const folders = new Map<string, Promise<string>>();
  const folderOf = (projectId: string): Promise<string> => {
    const folder = folders.get(projectId) ?? harness.addFolder({ path: projectId, projectId });
    folders.set(projectId, folder);
    return folder;
  };
  const jobs: Job[] = [];
  const cancel = async ({ id, projectId }: Job): Promise<void> => {
    const job = { id, projectId };
    await harness.transact((tx) => cancelJob(tx, harness.queue, backupHandling, job, 'a person', new Date()));
    await harness.signals.send('cancel', id);
  };
  return {
    cancel,
    head: () => harness.store.head(),
    async queue(projectId, trigger, count = 1) {
      const fileEndpointId = await folderOf(projectId);
      for (let job = 0; job < count; job += 1) {
        const serviceId = await harness.addService({ port, username: 'backup', password: 'p' }, { projectId });
        const request = { projectId, serviceId, fileEndpointId, trigger, stallTimeoutMs: 3_600_000 };
        jobs.push({ id: await harness.queueBackup(request), projectId });
      }
    },
    started: (count, after) =>
      eventually(
        `${count} backups have started`,
        async () => {
          const events = await harness.store.read({ after, streamTypes: ['BackupJob'] });
          const starts = events.filter(({ type }) => type === 'BackupAttemptStarted');
          return starts.length < count ? undefined : starts.map(jobOf);
        },
        60_000,
      ),
    async clear() {
      // The newest first, so that none of them starts in a slot that has just become free.
      for (const job of jobs.splice(0).reverse()) {
        const ends = (await harness.eventsOf(job.id)).some(({ type }) => type === 'BackupCancelRequested');
        if (!ends) await cancel(job);
      }
      await eventually('the queue is empty', async () => {
        const rows = await harness.dataSource.query<unknown[]>('SELECT FROM job_queue LIMIT 1');
        return rows.length === 0 ? true : undefined;
      });
    },
  };
}

function jobOf({ streamId, projectId }: RecordedEvent): Job {
  return { id: streamId, projectId };
}

function workerSettings({ ground }: WorkerHarness): Readonly<Record<string, string>> {
  return {
    DATABASE_URL: ground.appUrl,
    MIGRATION_DATABASE_URL: ground.ownerUrl,
    SCHEDULE_STORE_URL: 'postgres',
    STOWAGE_MASTER_KEY: ground.masterKey,
    STOWAGE_FILESYSTEM_ROOT: ground.root,
    STOWAGE_ALLOWED_TARGETS: 'default,loopback',
  };
}
