import { In, IsNull, Not, type EntityManager } from 'typeorm';
import { BackupJobTable } from '../jobs/backupJobView.js';
import type { PlanTick } from '../scheduler/alarmClock.js';
import { nextRun } from '../scheduler/cron/nextRun.js';
import { parseFrequency } from '../scheduler/cron/parseFrequency.js';
import { BackupPlanTable, type BackupPlanRow } from './backupPlanView.js';

/**
 * The earliest tick of a plan that nothing was done for yet; in the past when it is overdue. Undefined: the plan is not
 * active, has another version by now, or never runs again.
 */
export async function nextTick(manager: EntityManager, planId: string, version: number): Promise<PlanTick | undefined> {
  const plan = await manager.findOneBy(BackupPlanTable, { id: planId });
  if (plan?.scheduleVersion !== version) return undefined;
  const [tick] = await nextTicks(manager, [plan]);
  return tick;
}

/** The same for many plans, with one question to the database. Plans without a next tick are left out. */
export async function nextTicks(manager: EntityManager, plans: readonly BackupPlanRow[]): Promise<readonly PlanTick[]> {
  const active = plans.filter((plan) => !plan.paused && plan.removedAt === null);
  const newest = await newestTicks(
    manager,
    active.map(({ id }) => id),
  );
  return active.flatMap((plan): PlanTick[] => {
    const accounted = Math.max(
      plan.scheduledSince.getTime(),
      newest.get(plan.id) ?? 0,
      ...Object.values(plan.missedUntil).map((at) => Date.parse(at)),
    );
    const at = nextRun(parseFrequency(plan.normalized), plan.timeZone, new Date(accounted));
    return at === undefined ? [] : [{ kind: 'PLAN_TICK', planId: plan.id, version: plan.scheduleVersion, at }];
  });
}

async function newestTicks(manager: EntityManager, planIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
  if (planIds.length === 0) return new Map();
  const rows = await manager
    .createQueryBuilder(BackupJobTable, 'job')
    .select('job.plan_id', 'planId')
    .addSelect('max(job.scheduled_for)', 'newest')
    .where({ planId: In([...planIds]), scheduledFor: Not(IsNull()) })
    .groupBy('job.plan_id')
    .getRawMany<{ planId: string; newest: Date }>();
  return new Map(rows.map((row) => [row.planId, row.newest.getTime()]));
}
