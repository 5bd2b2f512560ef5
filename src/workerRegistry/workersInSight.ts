import type { DataSource } from 'typeorm';
import { BackupJobTable, type BackupJobRow } from '../backups/backupJobView.js';
import type { RegisteredWorker, WorkerRegistry } from '../postgres/contracts/workerRegistry.js';
import { RestoreJobTable, type RestoreJobRow } from '../restores/restoreJobView.js';
import { rowsById } from '../server/rowsById.js';

export type WorkerState = 'IDLE' | 'BUSY' | 'DRAINING' | 'LOST' | 'GONE';

export type WorkersJob = { readonly attempt: number } & (
  { readonly kind: 'BACKUP'; readonly row: BackupJobRow } | { readonly kind: 'RESTORE'; readonly row: RestoreJobRow }
);

/** The current state of a worker. */
export type WorkerSight = {
  readonly worker: RegisteredWorker;
  readonly state: WorkerState;
  readonly jobs: readonly WorkersJob[];
};

export type WorkerSources = { readonly dataSource: DataSource; readonly workers: WorkerRegistry };

/** Every worker that runs or was lost within the last hour, with the jobs that it holds, ordered by start. */
export async function workersInSight({ dataSource, workers }: WorkerSources): Promise<readonly WorkerSight[]> {
  const list = await workers.list();
  const leases = list.flatMap((worker) => worker.leases);
  const idsOf = (kind: 'BACKUP' | 'RESTORE') => leases.filter((each) => each.kind === kind).map(({ jobId }) => jobId);
  const [backups, restores] = await Promise.all([
    rowsById(dataSource.manager, BackupJobTable, idsOf('BACKUP')),
    rowsById(dataSource.manager, RestoreJobTable, idsOf('RESTORE')),
  ]);
  const backupOf = new Map(backups.flatMap((row) => (row === null ? [] : [[row.id, row] as const])));
  const restoreOf = new Map(restores.flatMap((row) => (row === null ? [] : [[row.id, row] as const])));

  const jobsOf = (worker: RegisteredWorker): readonly WorkersJob[] =>
    worker.leases.flatMap(({ jobId, attempt }): readonly WorkersJob[] => {
      const [backup, restore] = [backupOf.get(jobId), restoreOf.get(jobId)];
      if (backup !== undefined) return [{ kind: 'BACKUP', attempt, row: backup }];
      return restore === undefined ? [] : [{ kind: 'RESTORE', attempt, row: restore }];
    });
  return list.map((worker) => ({ worker, state: stateOf(worker), jobs: jobsOf(worker) }));
}

export function stateOf({ isLost, draining, leases }: RegisteredWorker): Exclude<WorkerState, 'GONE'> {
  if (isLost) return 'LOST';
  if (draining) return 'DRAINING';
  return leases.length > 0 ? 'BUSY' : 'IDLE';
}
