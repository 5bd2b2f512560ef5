import { attemptFolder } from '../archive/layout.js';
import type { EngineName } from '../engines/engine.js';
import { FileEndpointTable } from '../endpoints/fileEndpointView.js';
import type { EventMetadata } from '../eventSourcing/event.js';
import type { Transaction } from '../eventSourcing/eventStore.js';
import { backupJob, type BackupRequest, type RunningAttempt } from '../jobs/backupJob.js';
import type { Lease } from '../postgres/contracts/jobQueue.js';
import { restoreJob, type RestoreRequest } from '../restores/restoreJob.js';
import { ServiceTable } from '../services/serviceView.js';
import type { WorkerTools } from './workerTools.js';

export type Claimed = ClaimedBackup | ClaimedRestore;
type ClaimedAttempt = {
  readonly lease: Lease;
  readonly metadata: EventMetadata;
  /** `performance.now()` from before the lease was asked for: it ends no later than its length after that. */
  readonly askedAtMs: number;
};
export type ClaimedBackup = ClaimedAttempt & {
  readonly kind: 'BACKUP';
  readonly request: BackupRequest;
  readonly attempt: RunningAttempt;
};
export type ClaimedRestore = ClaimedAttempt & { readonly kind: 'RESTORE'; readonly request: RestoreRequest };

/**
 * Takes the next job that is due: lease and the event that the attempt has started, in one transaction. A row of the
 * queue whose job does not wait any more is taken away on the way. Undefined: there is nothing to do.
 */
export async function claimJob(tools: WorkerTools, engines: readonly EngineName[]): Promise<Claimed | undefined> {
  for (;;) {
    const askedAtMs = performance.now();
    const metadata = { actor: `worker:${tools.workerId}`, correlationId: crypto.randomUUID() };
    const claimed = await tools.store.transact(metadata, async (tx) => {
      const lease = await tools.queue.claim(tx.manager, tools.workerId, engines, tools.times.lease);
      if (lease === undefined) return undefined;
      return lease.kind === 'BACKUP'
        ? startBackup(tools, tx, lease, askedAtMs)
        : startRestore(tools, tx, lease, askedAtMs);
    });
    if (claimed !== 'STALE') return claimed;
  }
}

async function startBackup(
  tools: WorkerTools,
  tx: Transaction,
  lease: Lease,
  askedAtMs: number,
): Promise<ClaimedBackup | 'STALE'> {
  const job = { id: lease.jobId, projectId: lease.projectId };
  const { state } = await tx.load(backupJob, job.id);
  if (state.status !== 'QUEUED') return dropStale(tools, tx, lease);
  const { request } = state;
  const service = await tx.manager.findOneByOrFail(ServiceTable, { id: request.serviceId });
  const endpoint = await tx.manager.findOneByOrFail(FileEndpointTable, { id: request.fileEndpointId });
  const startedAt = tools.now().toISOString();
  const attempt = {
    number: lease.attempt,
    worker: tools.workerId,
    startedAt,
    folder: attemptFolder({
      prefix: endpoint.prefix,
      serviceName: service.name,
      serviceId: service.id,
      startedAt,
      jobId: job.id,
      attempt: lease.attempt,
    }),
  };
  await tx.execute(backupJob, job, { kind: 'START_ATTEMPT', attempt });
  return { kind: 'BACKUP', lease, metadata: tx.metadata, askedAtMs, request, attempt };
}

async function startRestore(
  tools: WorkerTools,
  tx: Transaction,
  lease: Lease,
  askedAtMs: number,
): Promise<ClaimedRestore | 'STALE'> {
  const job = { id: lease.jobId, projectId: lease.projectId };
  const { state } = await tx.load(restoreJob, job.id);
  if (state.status !== 'QUEUED') return dropStale(tools, tx, lease);
  const attempt = { number: lease.attempt, worker: tools.workerId, startedAt: tools.now().toISOString() };
  await tx.execute(restoreJob, job, { kind: 'START_ATTEMPT', attempt });
  return { kind: 'RESTORE', lease, metadata: tx.metadata, askedAtMs, request: state.request };
}

async function dropStale(tools: WorkerTools, tx: Transaction, lease: Lease): Promise<'STALE'> {
  await tools.queue.remove(tx.manager, lease.jobId);
  return 'STALE';
}
