import type { EntityManager } from 'typeorm';
import { findBackupPlans } from '../plans/planQueries.js';
import type { BackupPlanRow } from '../plans/backupPlanView.js';
import { expectedDeletionAt } from '../plans/retentionForecast.js';
import { parseFrequency } from '../scheduler/cron/parseFrequency.js';
import { runsBetween } from '../scheduler/cron/runsBetween.js';
import type { BackupJobRow } from './backupJobView.js';
import { destinationKey, retainedBackups } from './retainedBackups.js';

/** Runs that are looked ahead at most: a backup that goes later than that is not foreseen. */
const mostRuns = 1_000;

/** When retention deletes these backups, in their order; null for what it does not delete, or cannot be foreseen. */
export async function expectedDeletions(
  manager: EntityManager,
  jobs: readonly BackupJobRow[],
  now: Date,
): Promise<readonly (Date | null)[]> {
  const stored = jobs.flatMap(({ availability, planId, fileEndpointId }) =>
    availability === 'STORED' && planId !== null ? [{ planId, fileEndpointId }] : [],
  );
  if (stored.length === 0) return jobs.map(() => null);
  const destinations = [...new Map(stored.map((each) => [destinationKey(each), each])).values()];
  const plans = await findBackupPlans(manager, [...new Set(destinations.map(({ planId }) => planId))]);
  const planById = new Map(plans.flatMap((plan) => (plan === null ? [] : [[plan.id, plan] as const])));
  const backupsOf = await retainedBackups(manager, destinations);
  const runsOf = new Map([...planById.values()].map((plan) => [plan.id, runsAhead(plan, now)]));

  return jobs.map(({ id, planId, fileEndpointId }) => {
    const plan = planId === null ? undefined : planById.get(planId);
    // A plan that was removed deletes nothing.
    if (plan === undefined || plan.removedAt !== null) return null;
    const backups = backupsOf.get(destinationKey({ planId: plan.id, fileEndpointId })) ?? [];
    const backup = backups.find((each) => each.id === id);
    if (backup === undefined) return null;
    const { retention: policy, timeZone } = plan;
    const nextRuns = plan.fileEndpointIds.includes(fileEndpointId) ? (runsOf.get(plan.id) ?? []) : [];
    return expectedDeletionAt({ policy, backup, backups, nextRuns, timeZone });
  });
}

function runsAhead({ normalized, timeZone, paused, retention }: BackupPlanRow, now: Date): readonly Date[] {
  if (paused || retention.style === 'ALL') return [];
  const count = retention.style === 'FILES' ? Math.min(retention.period, mostRuns) : 1;
  return runsBetween(parseFrequency(normalized), timeZone, now, new Date('9999-12-31T00:00:00Z'), count);
}
