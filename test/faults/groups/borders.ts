import type { Engine } from '../../../src/engines/engine.js';
import { createMariadbEngine } from '../../../src/engines/mariadb/mariadbEngine.js';
import type { Storage } from '../../../src/storage/storage.js';
import type { Worker } from '../../../src/worker/worker.js';
import { setTimeout as pause } from 'node:timers/promises';
import { endOf, judge, queueFaultyBackup, type Expected } from '../backupTrial.js';
import type { FaultBench } from '../faultBench.js';
import type { Fault, Problem } from '../trial.js';
import { until } from '../../fixtures/until.js';
import { backupHandling } from '../../../src/backups/backupJobCommands.js';
import { cancelJob } from '../../../src/jobs/jobCommands.js';
import { replacing } from '../../fixtures/workerHarness.js';

/** The steps of a backup that use something outside of the worker, in their order. */
const steps = ['preflight', 'dump', 'put', 'verify', 'inventory', 'putBytes', 'get'] as const;
type Step = (typeof steps)[number];
type Border = `before ${Step}` | `after ${Step}`;

type Run = { worker: Worker; jobId: string };

type Blow = {
  readonly name: string;
  readonly expects: Expected | ((border: Border) => Expected);
  readonly strike: (bench: FaultBench, run: Run, signal: AbortSignal) => Promise<void> | void;
};

/** The outage is shorter than a lease, so the job must succeed. */
const outageMs = 1_500;
const blows: readonly Blow[] = [
  {
    name: 'an error is thrown',
    expects: ['INTERNAL'],
    strike: () => {
      throw new Error('thrown by the fault suite');
    },
  },
  {
    name: 'every connection to PostgreSQL is reset',
    expects: ['SUCCEEDED'],
    strike: ({ postgresLine }) => postgresLine.reset(),
  },
  {
    name: 'PostgreSQL is gone for a moment',
    expects: ['SUCCEEDED'],
    strike: async ({ postgresLine }) => {
      await postgresLine.cut();
      void pause(outageMs).then(() => postgresLine.heal());
    },
  },
  {
    name: 'PostgreSQL is silent for a moment',
    expects: ['SUCCEEDED'],
    strike: ({ postgresLine }) => {
      postgresLine.freeze();
      void pause(outageMs).then(() => postgresLine.heal());
    },
  },
  {
    name: 'the database goes away',
    expects: (border) =>
      isBefore(border, 'before verify') ? ['SERVICE_UNREACHABLE'] : ['SERVICE_UNREACHABLE', 'SUCCEEDED'],
    strike: ({ sourceLine }) => sourceLine.cut(),
  },
  {
    name: 'the storage resets every connection',
    expects: ['SUCCEEDED'],
    strike: ({ storageLine }) => storageLine.reset(),
  },
  {
    name: 'the worker is asked to stop',
    expects: ['SUCCEEDED'],
    strike: (_, { worker }) => void worker.stop(),
  },
  {
    name: 'somebody cancels',
    expects: (border) => (isBefore(border, 'before putBytes') ? ['CANCELLED'] : ['CANCELLED', 'SUCCEEDED']),
    strike: async ({ harness }, { jobId }, signal) => {
      const job = { id: jobId, projectId: harness.projectId };
      await harness.transact((tx) => cancelJob(tx, harness.queue, backupHandling, job, 'a person', new Date()));
      await harness.signals.send('cancel', jobId);
      await until(() => signal.aborted, 'the worker has received it');
    },
  },
];

/** An engine must not throw after the start of a dump, because the dump would have no owner. */
const borders: readonly Border[] = steps.flatMap((step): readonly Border[] => [`before ${step}`, `after ${step}`]);

export const borderFaults: readonly Fault[] = blows.flatMap((blow) =>
  borders
    .filter((border) => !(border === 'after dump' && blow.name === 'an error is thrown'))
    .map((border) => borderFault(blow, border)),
);

function borderFault(blow: Blow, border: Border): Fault {
  return {
    group: 'Between two steps',
    name: `${blow.name} ${border}`,
    attempt: async (bench) => {
      const run: { struck: boolean } & Partial<Run> = { struck: false };
      const at: Watch = async (here, signal) => {
        if (run.struck || here !== border) return;
        run.struck = true;
        await until(() => run.jobId !== undefined, 'the job is known');
        const { worker, jobId } = run;
        if (worker !== undefined && jobId !== undefined) await blow.strike(bench, { worker, jobId }, signal);
      };
      const worker = await bench.startWorker({
        throughPostgresLine: true,
        engine: hookedEngine(createMariadbEngine(), at),
        wrapStorage: (storage) => hookedStorage(storage, at),
        times: { lease: 20_000, grace: 0 },
      });
      run.worker = worker;
      const jobId = await queueFaultyBackup(bench);
      run.jobId = jobId;
      // A worker that was asked to stop has handed the job back, so another worker runs it.
      const second =
        blow.name === 'the worker is asked to stop' ? await secondWorker(bench, () => run.struck) : undefined;
      const ended = await endOf(bench, jobId);
      await pause(blow.name.startsWith('PostgreSQL') ? outageMs : 0);
      await bench.heal();
      await Promise.all([worker.stop(), second?.stop()]);
      const problems: Problem[] = run.struck
        ? []
        : [{ kind: 'NOT_REACHED', what: 'the backup never reached this step' }];
      const expects = typeof blow.expects === 'function' ? blow.expects(border) : blow.expects;
      return judge(bench, jobId, ended, { expects, problems });
    },
  };
}

async function secondWorker(bench: FaultBench, struck: () => boolean): Promise<Worker> {
  for (let tries = 0; tries < 1_000 && !struck(); tries += 1) await pause(20);
  return bench.startWorker();
}

type Watch = (border: Border, signal: AbortSignal) => Promise<void>;

function hookedEngine(engine: Engine, at: Watch): Engine {
  return {
    ...engine,
    prepareDump: async (connection, context) => {
      const prepared = await around('preflight', at, context.signal, () => engine.prepareDump(connection, context));
      return {
        ...prepared,
        dump: (part, dumpContext) => around('dump', at, dumpContext.signal, () => prepared.dump(part, dumpContext)),
      };
    },
    inventory: (connection, context) =>
      around('inventory', at, context.signal, () => engine.inventory(connection, context)),
  };
}

function hookedStorage(storage: Storage, at: Watch): Storage {
  return replacing(storage, {
    put: (name, source, options) => around('put', at, options.signal, () => storage.put(name, source, options)),
    verify: (name, stored, options) =>
      around('verify', at, options.signal, () => storage.verify(name, stored, options)),
    putBytes: (name, bytes, options) =>
      around('putBytes', at, options.signal, () => storage.putBytes(name, bytes, options)),
    get: (name, options) => {
      const pieces = storage.get(name, options);
      return name.endsWith('backup.json') ? readingAround(pieces, at, options.signal) : pieces;
    },
  });
}

async function around<T>(step: Step, at: Watch, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  await at(`before ${step}`, signal);
  const result = await work();
  await at(`after ${step}`, signal);
  return result;
}

async function* readingAround(
  pieces: AsyncIterable<Uint8Array>,
  at: Watch,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  await at('before get', signal);
  yield* pieces;
  await at('after get', signal);
}

function isBefore(border: Border, other: Border): boolean {
  return borders.indexOf(border) < borders.indexOf(other);
}
