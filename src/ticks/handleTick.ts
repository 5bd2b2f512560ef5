import type { EntityManager } from 'typeorm';
import type { EventStore, Transaction } from '../eventSourcing/eventStore.js';
import { systemMetadata } from '../eventSourcing/systemMetadata.js';
import type { BackupRequest } from '../backups/backupJob.js';
import { queueBackup, skipBackup } from '../backups/backupJobCommands.js';
import { newestTicks } from '../backups/newestTicks.js';
import type { JobQueue } from '../postgres/contracts/jobQueue.js';
import { parseFrequency } from '../scheduler/cron/parseFrequency.js';
import { findService } from '../services/serviceQueries.js';
import { accountedUntil } from '../plans/accountedUntil.js';
import type { BackupPlanRow } from '../plans/backupPlanView.js';
import { dueTicks, type DueTicks } from '../plans/dueTicks.js';
import { lockPlan, recordMissed } from '../plans/missedTicks.js';
import { tickBatchId, tickJobId } from './tickIds.js';

export type TickTools = { readonly store: EventStore; readonly queue: JobQueue; readonly now: () => Date };

/**
 * Handles a tick of a plan: queues one job for each destination, in the plan's order, and records the ticks that were
 * missed before it. It is idempotent. A tick of an older version of the schedule, or of a paused or removed plan,
 * changes nothing. Returns true if a job was queued.
 */
export async function handleTick(
  tools: TickTools,
  tick: { readonly planId: string; readonly version: number; readonly scheduledFor: Date },
): Promise<boolean> {
  const metadata = systemMetadata('schedule', 'scheduler', tickBatchId(tick.planId, tick.scheduledFor));
  return await tools.store.transact(metadata, async (tx) => {
    const plan = await lockPlan(tx.manager, tick.planId);
    if (plan === null || plan.paused || plan.removedAt !== null || plan.scheduleVersion !== tick.version) return false;
    const engine = (await findService(tx.manager, plan.serviceId))?.engine;
    if (engine === undefined) throw new Error(`Service ${plan.serviceId} of backup plan ${plan.id} is unknown.`);
    // The clock of the alarm store may be slightly ahead of PostgreSQL's.
    const now = new Date(Math.max(tools.now().getTime(), tick.scheduledFor.getTime()));
    const accounted = await accountedUntil(tx.manager, plan, newestTicks);

    let queued = false;
    for (const [place, fileEndpointId] of plan.fileEndpointIds.entries()) {
      const due = dueTicks({
        frequency: parseFrequency(plan.normalized),
        timeZone: plan.timeZone,
        accountedUntil: accounted(fileEndpointId),
        now,
        catchUpWindowMs: plan.catchUpWindowMs,
      });
      const destination = { plan, fileEndpointId, place, engine };
      if (due.missed !== null) {
        await recordMissed(tx, plan, fileEndpointId, due.missed, 'No scheduler handled them in time.', now);
      }
      if (await makeJob(tx, tools.queue, destination, due.run, now)) queued = true;
    }
    return queued;
  });
}

type Destination = {
  readonly plan: BackupPlanRow;
  readonly fileEndpointId: string;
  /** The position among the plan's destinations, from 0. */
  readonly place: number;
  readonly engine: string;
};

/** Returns true if the job was queued, and false if it was skipped or there is nothing to run. */
async function makeJob(
  tx: Transaction,
  queue: JobQueue,
  destination: Destination,
  run: DueTicks['run'],
  now: Date,
): Promise<boolean> {
  if (run === null) return false;
  const { plan, fileEndpointId } = destination;
  const job = { id: tickJobId(plan.id, run.at, fileEndpointId), projectId: plan.projectId };
  const request = requestOf(destination, run, now);
  const active = await activeTickJob(tx.manager, destination);
  if (active === undefined) await queueBackup(tx, queue, job, request);
  else await skipBackup(tx, job, request, active);
  return active === undefined;
}

function requestOf(
  { plan, fileEndpointId, place, engine }: Destination,
  run: NonNullable<DueTicks['run']>,
  now: Date,
): BackupRequest {
  const { maxAttempts, timeoutMs, stallTimeoutMs, yieldToLocks, driftThreshold, includeUsers, compression } = plan;
  return {
    serviceId: plan.serviceId,
    engine,
    planId: plan.id,
    fileEndpointId,
    trigger: run.trigger,
    batchId: tickBatchId(plan.id, run.at),
    requestedBy: 'scheduler',
    retryOf: null,
    scheduledFor: run.at.toISOString(),
    // Workers claim the oldest job first. One millisecond between the jobs keeps the plan's order of destinations.
    queuedAt: new Date(now.getTime() + place).toISOString(),
    maxAttempts,
    timeoutMs,
    stallTimeoutMs,
    yieldToLocks,
    driftThreshold,
    includeUsers,
    compression,
  };
}

/**
 * The active job of an earlier tick: the job itself, or its manual retry, which replaces it. While there is one, a new
 * tick is skipped, so that a destination's jobs never wait for each other.
 */
async function activeTickJob(
  manager: EntityManager,
  { plan, fileEndpointId }: Destination,
): Promise<string | undefined> {
  const [active] = await manager.query<{ id: string }[]>(
    `SELECT id FROM backup_jobs
     WHERE plan_id = $1 AND file_endpoint_id = $2 AND status IN ('QUEUED', 'RUNNING')
       AND coalesce(stands_for, trigger) IN ('SCHEDULE', 'CATCH_UP')
     ORDER BY queued_at DESC LIMIT 1`,
    [plan.id, fileEndpointId],
  );
  return active?.id;
}
