import type { EntityManager } from 'typeorm';
import type { Transaction } from '../eventSourcing/eventStore.js';
import { parseFrequency } from '../scheduler/cron/parseFrequency.js';
import { accountedUntil, type NewestTicks } from './accountedUntil.js';
import { backupPlan } from './backupPlan.js';
import { BackupPlanTable, type BackupPlanRow } from './backupPlanView.js';
import { ticksBetween, type TickSpan } from './dueTicks.js';

/**
 * The plan before this transaction. Other transactions that handle a tick of the plan or change the plan wait until
 * this one ends.
 */
export async function lockPlan(manager: EntityManager, id: string): Promise<BackupPlanRow | null> {
  return await manager.findOne(BackupPlanTable, { where: { id }, lock: { mode: 'pessimistic_write' } });
}

/** Appends one event, for one destination. */
export async function recordMissed(
  tx: Transaction,
  { id, projectId }: Pick<BackupPlanRow, 'id' | 'projectId'>,
  fileEndpointId: string,
  { count, from, to }: TickSpan,
  reason: string,
  now: Date,
): Promise<void> {
  const span = { count, from: from.toISOString(), to: to.toISOString() };
  const missed = { fileEndpointId, ...span, reason, at: now.toISOString() };
  await tx.execute(backupPlan, { id, projectId }, { kind: 'RECORD_MISSED', missed });
}

/**
 * Records the ticks that are due and not handled when a plan's schedule ends. The next schedule begins now, so without
 * the record these ticks would be lost silently. `plan` is the row before the change.
 */
export async function recordUnhandled(
  tx: Transaction,
  plan: BackupPlanRow,
  newestTicks: NewestTicks,
  now: Date,
): Promise<void> {
  const schedule = { frequency: parseFrequency(plan.normalized), timeZone: plan.timeZone };
  const accounted = await accountedUntil(tx.manager, plan, newestTicks);
  for (const fileEndpointId of plan.fileEndpointIds) {
    const unhandled = ticksBetween(schedule, accounted(fileEndpointId), now);
    if (unhandled === null) continue;
    const reason = 'The plan was changed or paused before they were handled.';
    await recordMissed(tx, plan, fileEndpointId, unhandled, reason, now);
  }
}
