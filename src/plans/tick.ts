import { In, IsNull, Not, type EntityManager } from 'typeorm';
import type { EventStore, Transaction } from '../eventSourcing/eventStore.js';
import type { BackupRequest } from '../jobs/backupJob.js';
import { queueBackup, skipBackup } from '../jobs/backupJobCommands.js';
import { BackupJobTable } from '../jobs/backupJobView.js';
import type { JobQueue } from '../postgres/contracts/jobQueue.js';
import { parseFrequency } from '../scheduler/cron/parseFrequency.js';
import { ServiceTable } from '../services/serviceView.js';
import { backupPlan, type BackupPlan } from './backupPlan.js';
import { dueTicks } from './dueTicks.js';
import { tickBatchId, tickJobId } from './tickIds.js';

export type TickTools = { readonly store: EventStore; readonly queue: JobQueue; readonly now: () => Date };

type ActivePlan = Extract<BackupPlan, { content: unknown }>;

/**
 * Handles a tick of a plan: one job for each destination, in the plan's order, and what was missed before it. A tick of
 * an old version of the schedule, or of a plan that is paused or removed, changes nothing, and so does one that was
 * handled before. True when jobs were queued.
 */
export async function handleTick(
  tools: TickTools,
  tick: { readonly planId: string; readonly version: number; readonly scheduledFor: Date },
): Promise<boolean> {
  const { planId } = tick;
  const metadata = { actor: 'scheduler', correlationId: tickBatchId(planId, tick.scheduledFor) };
  return await tools.store.transact(metadata, async (tx) => {
    const { state: plan } = await tx.load(backupPlan, planId);
    if (plan.status !== 'ACTIVE' || plan.scheduleVersion !== tick.version) return false;
    const service = await tx.manager.findOneByOrFail(ServiceTable, { id: plan.serviceId });
    // The alarm's clock may be a little ahead of this one.
    const now = new Date(Math.max(tools.now().getTime(), tick.scheduledFor.getTime()));
    let queued = false;
    for (const fileEndpointId of plan.content.fileEndpointIds) {
      const destination = { planId, plan, fileEndpointId, engine: service.engine, projectId: service.projectId };
      if (await handleDestination(tools, tx, destination, now)) queued = true;
    }
    return queued;
  });
}

type Destination = {
  readonly planId: string;
  readonly plan: ActivePlan;
  readonly fileEndpointId: string;
  readonly engine: string;
  readonly projectId: string;
};

async function handleDestination(
  tools: TickTools,
  tx: Transaction,
  destination: Destination,
  now: Date,
): Promise<boolean> {
  const { planId, plan, fileEndpointId, projectId } = destination;
  const { content } = plan;
  const due = dueTicks({
    frequency: parseFrequency(content.normalized),
    timeZone: content.timeZone,
    accountedUntil: await accountedUntil(tx.manager, destination),
    now,
    catchUpWindowMs: content.catchUpWindowMs,
  });
  if (due.missed !== null) {
    const { count, from, to } = due.missed;
    await tx.execute(
      backupPlan,
      { id: planId, projectId },
      {
        kind: 'RECORD_MISSED',
        missed: {
          fileEndpointId,
          count,
          from: from.toISOString(),
          to: to.toISOString(),
          reason: 'No scheduler handled them in time.',
          at: now.toISOString(),
        },
      },
    );
  }
  if (due.run === null) return false;
  const job = { id: tickJobId(planId, due.run.at, fileEndpointId), projectId };
  const request = requestOf(destination, due.run, now);
  const active = await activeTickJob(tx.manager, destination);
  if (active === undefined) await queueBackup(tx, tools.queue, job, request);
  else await skipBackup(tx, job, request, active);
  return active === undefined;
}

function requestOf(
  { planId, plan, fileEndpointId, engine }: Destination,
  run: { readonly at: Date; readonly trigger: 'SCHEDULE' | 'CATCH_UP' },
  now: Date,
): BackupRequest {
  const { maxAttempts, timeoutMs, stallTimeoutMs } = plan.content;
  return {
    serviceId: plan.serviceId,
    engine,
    planId,
    fileEndpointId,
    trigger: run.trigger,
    batchId: tickBatchId(planId, run.at),
    requestedBy: 'scheduler',
    retryOf: null,
    scheduledFor: run.at.toISOString(),
    queuedAt: now.toISOString(),
    maxAttempts,
    timeoutMs,
    stallTimeoutMs,
  };
}

/** The newest of: the schedule's beginning, the last tick recorded as missed, the last tick that made a job. */
async function accountedUntil(manager: EntityManager, { planId, plan, fileEndpointId }: Destination): Promise<Date> {
  const newest = await manager.findOne(BackupJobTable, {
    where: { planId, fileEndpointId, scheduledFor: Not(IsNull()) },
    order: { scheduledFor: 'DESC' },
  });
  const known = [plan.scheduledSince, plan.missedUntil[fileEndpointId], newest?.scheduledFor?.toISOString()];
  return new Date(Math.max(...known.flatMap((at) => (at === undefined ? [] : [Date.parse(at)]))));
}

/** A job of an earlier tick that has not ended: the destination never queues up behind itself. */
async function activeTickJob(
  manager: EntityManager,
  { planId, fileEndpointId }: Destination,
): Promise<string | undefined> {
  const active = await manager.findOne(BackupJobTable, {
    where: { planId, fileEndpointId, status: In(['QUEUED', 'RUNNING']), trigger: In(['SCHEDULE', 'CATCH_UP']) },
    order: { queuedAt: 'DESC' },
  });
  return active?.id;
}
