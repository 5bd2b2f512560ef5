import type { EntityManager } from 'typeorm';
import type { PlanTick } from '../scheduler/alarmClock.js';
import { nextRun } from '../scheduler/cron/nextRun.js';
import { parseFrequency } from '../scheduler/cron/parseFrequency.js';
import { accountedUntil } from './accountedUntil.js';
import type { BackupPlanRow } from './backupPlanView.js';

/**
 * Of each plan, the earliest tick that nothing was done for yet; in the past when it is overdue. Plans that are paused
 * or removed, and those that never run again, have none. A plan whose frequency or zone this program does not
 * understand (it may come from a newer one) is told to `unreadable`, so that it does not stop the others.
 */
export async function nextTicks(
  manager: EntityManager,
  plans: readonly BackupPlanRow[],
  unreadable: (plan: BackupPlanRow, error: unknown) => void,
): Promise<readonly PlanTick[]> {
  const active = plans.filter((plan) => !plan.paused && plan.removedAt === null);
  const accounted = await accountedUntil(manager, active);
  return active.flatMap((plan): PlanTick[] => {
    const after = Math.min(...plan.fileEndpointIds.map((id) => accounted(plan, id).getTime()));
    try {
      const at = nextRun(parseFrequency(plan.normalized), plan.timeZone, new Date(after));
      return at === undefined ? [] : [{ kind: 'PLAN_TICK', planId: plan.id, version: plan.scheduleVersion, at }];
    } catch (error) {
      unreadable(plan, error);
      return [];
    }
  });
}
