import type { EntityManager } from 'typeorm';
import type { BackupPlanRow } from './backupPlanView.js';

/**
 * The time of the newest tick that queued a job of the plan, by file endpoint. A file endpoint without such a tick is
 * absent. The slice of jobs reads it.
 */
export type NewestTicks = (
  manager: EntityManager,
  plan: Pick<BackupPlanRow, 'id' | 'fileEndpointIds'>,
) => Promise<ReadonlyMap<string, Date>>;

/**
 * Every tick of a plan's destination up to this instant is accounted for: it queued a job, is recorded as missed, or is
 * older than the schedule or the destination.
 */
export async function accountedUntil(
  manager: EntityManager,
  plan: Pick<BackupPlanRow, 'id' | 'fileEndpointIds' | 'scheduledSince' | 'accountedUntil'>,
  newestTicks: NewestTicks,
): Promise<(fileEndpointId: string) => Date> {
  const newest = await newestTicks(manager, plan);
  return (fileEndpointId) => {
    const recorded = plan.accountedUntil[fileEndpointId];
    const instants = [plan.scheduledSince, newest.get(fileEndpointId), recorded];
    return new Date(Math.max(...instants.map((each) => (each === undefined ? 0 : new Date(each).getTime()))));
  };
}
