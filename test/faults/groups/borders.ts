import type { Engine } from '../../../src/engines/engine.js';
import { createMariadbEngine } from '../../../src/engines/mariadb/mariadbEngine.js';
import type { Storage } from '../../../src/storage/storage.js';
import type { Worker } from '../../../src/worker/worker.js';
import { setTimeout as pause } from 'node:timers/promises';
import { endOf, judge, queueFaultyBackup, type Expected } from '../backupTrial.js';
import type { FaultBench } from '../faultBench.js';
import type { Fault, Problem } from '../trial.js';
import { replacing } from '../../fixtures/workerHarness.js';

/** The steps of a backup that touch something outside, in their order. */
const steps = ['preflight', 'dump', 'put', 'verify', 'inventory', 'putBytes', 'get'] as const;
type Step = (typeof steps)[number];
type Border = `before ${Step}` | `after ${Step}`;

type Blow = {
  readonly name: string;
  readonly expects: Expected | ((border: Border) => Expected);
  readonly strike: (bench: FaultBench, worker: Worker) => Promise<void> | void;
};

/** Shorter than a lease: to be overcome. */
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
    strike: (_, worker) => void worker.stop(),
  },
];

/** What is thrown after a dump was started leaves it without an owner, which no engine does. */
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
      const run: { struck: boolean; worker?: Worker } = { struck: false };
      const at = async (here: Border) => {
        if (run.struck || here !== border || run.worker === undefined) return;
        run.struck = true;
        await blow.strike(bench, run.worker);
      };
      const worker = await bench.startWorker({
        throughPostgresLine: true,
        engine: hookedEngine(createMariadbEngine(), at),
        wrapStorage: (storage) => hookedStorage(storage, at),
        times: { lease: 20_000, grace: 0 },
      });
      run.worker = worker;
      const jobId = await queueFaultyBackup(bench);
      // Whoever was asked to stop has handed the job back: another one takes it.
      const second =
        blow.name === 'the worker is asked to stop' ? await secondWorker(bench, () => run.struck) : undefined;
      const ended = await endOf(bench, jobId);
      await pause(blow.name.startsWith('PostgreSQL') ? outageMs : 0);
      await bench.heal();
      await Promise.all([worker.stop(), second?.stop()]);
      const problems: Problem[] = run.struck ? [] : [{ kind: 'NOT_REACHED', what: 'the backup never came there' }];
      const expects = typeof blow.expects === 'function' ? blow.expects(border) : blow.expects;
      return judge(bench, jobId, ended, { expects, problems });
    },
  };
}

async function secondWorker(bench: FaultBench, struck: () => boolean): Promise<Worker> {
  for (let tries = 0; tries < 1_000 && !struck(); tries += 1) await pause(20);
  return bench.startWorker();
}

function hookedEngine(engine: Engine, at: (border: Border) => Promise<void>): Engine {
  return {
    ...engine,
    preflight: (...args) => around('preflight', at, () => engine.preflight(...args)),
    dump: (...args) => around('dump', at, () => engine.dump(...args)),
    inventory: (...args) => around('inventory', at, () => engine.inventory(...args)),
  };
}

function hookedStorage(storage: Storage, at: (border: Border) => Promise<void>): Storage {
  return replacing(storage, {
    put: (...args) => around('put', at, () => storage.put(...args)),
    verify: (...args) => around('verify', at, () => storage.verify(...args)),
    putBytes: (...args) => around('putBytes', at, () => storage.putBytes(...args)),
    get: (name, options) => readingAround(storage.get(name, options), name.endsWith('backup.json') ? at : undefined),
  });
}

async function around<T>(step: Step, at: (border: Border) => Promise<void>, work: () => Promise<T>): Promise<T> {
  await at(`before ${step}`);
  const result = await work();
  await at(`after ${step}`);
  return result;
}

async function* readingAround(
  pieces: AsyncIterable<Uint8Array>,
  at: ((border: Border) => Promise<void>) | undefined,
): AsyncIterable<Uint8Array> {
  await at?.('before get');
  yield* pieces;
  await at?.('after get');
}

function isBefore(border: Border, other: Border): boolean {
  return borders.indexOf(border) < borders.indexOf(other);
}
