import { attemptFolder } from '../../archive/layout.js';
import { backupJob, type BackupJobEvent, type BackupRequest, type BackupShape } from '../../backups/backupJob.js';
import { backupHandling } from '../../backups/backupJobCommands.js';
import { backupJobProjection, BackupJobTable } from '../../backups/backupJobView.js';
import { effectiveTimeout, recentSuccesses } from '../../backups/effectiveTimeout.js';
import type { Transaction } from '../../eventSourcing/eventStore.js';
import { adoptions } from '../expiredLeases/adoption.js';
import type { JobKind } from '../jobKind.js';
import { runBackup } from '../runs/backupRun.js';

export const backupKind: JobKind<BackupShape, BackupJobEvent> = {
  ...backupHandling,
  table: BackupJobTable,
  projection: backupJobProjection,
  async startOf(tx, job, request, attempt, { maxTimeoutMs }) {
    const { serviceId } = request;
    const place = tx === null ? { prefix: '', serviceName: 'service' } : await placeOf(tx, request);
    const { number, startedAt } = attempt;
    const timeout = tx === null ? null : await timeoutOf(tx, request, maxTimeoutMs);
    return {
      ...attempt,
      timeout,
      folder: attemptFolder({ ...place, serviceId, startedAt, jobId: job.id, attempt: number }),
    };
  },
  async afterUnstartable(tx, job, attempt, at) {
    // Nothing was ever written into the folder of the attempt.
    await tx.execute(backupJob, job, { kind: 'CONFIRM_REMAINS_GONE', attempt, at: at.toISOString() });
  },
  run: runBackup,
  async afterEnd(upkeep, { planId, fileEndpointId }, end) {
    if (end === 'SUCCEEDED' && planId !== null) await upkeep.retain({ planId, fileEndpointId });
  },
  lostAttempts: adoptions,
};

async function timeoutOf({ manager }: Transaction, { planId, timeoutMs }: BackupRequest, maxTimeoutMs: number | null) {
  const needsHistory = planId !== null && timeoutMs === null;
  const successes = needsHistory ? (await recentSuccesses(manager, [planId])).get(planId) : undefined;
  return effectiveTimeout({ timeoutMs, successes, maxTimeoutMs });
}

async function placeOf({ manager }: Transaction, { serviceId, fileEndpointId }: BackupRequest) {
  const [place] = await manager.query<{ prefix: string; name: string }[]>(
    `SELECT endpoint.prefix, service.name FROM services service, file_endpoints endpoint
     WHERE service.id = $1 AND endpoint.id = $2`,
    [serviceId, fileEndpointId],
  );
  if (place === undefined) throw new Error(`Service ${serviceId} or file endpoint ${fileEndpointId} is unknown.`);
  return { prefix: place.prefix, serviceName: place.name };
}
