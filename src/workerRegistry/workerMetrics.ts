import { Gauge, type Registry } from 'prom-client';
import type { WorkerRegistry } from '../postgres/contracts/workerRegistry.js';
import { stateOf, type WorkerState } from './workersInSight.js';

/** The states of workers. GONE exists only in changes. */
export type WorkerCounts = Readonly<Record<Exclude<WorkerState, 'GONE'>, number>>;

async function countWorkers(workers: Pick<WorkerRegistry, 'list'>): Promise<WorkerCounts> {
  const counts = { IDLE: 0, BUSY: 0, DRAINING: 0, LOST: 0 };
  for (const worker of await workers.list()) counts[stateOf(worker)] += 1;
  return counts;
}

/** Registers gauges that query PostgreSQL when they are read. While PostgreSQL does not answer they have no value. */
export function workerMetrics(registry: Registry, workers: Pick<WorkerRegistry, 'list' | 'withoutWorker'>): void {
  const registers = [registry];
  new Gauge({
    name: 'stowage_workers',
    help: 'Workers by state: IDLE, BUSY, DRAINING, and LOST within the last hour.',
    labelNames: ['state'],
    registers,
    async collect() {
      const counts = await countWorkers(workers).catch(() => ({}));
      this.reset();
      for (const [state, count] of Object.entries(counts)) this.set({ state }, count);
    },
  });
  new Gauge({
    name: 'stowage_jobs_without_worker',
    help: 'Due jobs for which no running worker has the tools, by engine.',
    labelNames: ['engine'],
    registers,
    async collect() {
      const waiting = await workers.withoutWorker().catch(() => []);
      this.reset();
      for (const { engine, jobs } of waiting) this.set({ engine }, jobs);
    },
  });
}
