import type { EntityManager } from 'typeorm';
import type { BackupPlanRow } from '../../plans/backupPlanView.js';
import { findBackupPlans } from '../../plans/planQueries.js';
import { forecastDeletions } from '../../plans/retention/retentionForecast.js';
import { decisiveRuns } from '../../plans/retention/runsToCome.js';
import { parseFrequency } from '../../scheduler/cron/parseFrequency.js';
import type { BackupJobRow } from '../backupJobView.js';
import { destinationKey, retainedBackups, type Destination } from './retainedBackups.js';
import { runsUnderWay } from './runsUnderWay.js';

/**
 * Forecasts when retention deletes these backups, in their order. It assumes that their plans do not change and that
 * every run succeeds, including active runs. Null: retention does not delete the backup, or the deletion cannot be
 * predicted. A time in the past: the next evaluation deletes the backup, or the evaluation after the active run.
 */
export async function expectedDeletions(
  manager: EntityManager,
  jobs: readonly Pick<BackupJobRow, 'id' | 'availability' | 'planId' | 'fileEndpointId'>[],
  now: Date,
): Promise<readonly (Date | null)[]> {
  const destinations = new Map<string, Destination>();
  for (const { availability, planId, fileEndpointId } of jobs) {
    if (availability !== 'STORED' || planId === null) continue;
    destinations.set(destinationKey({ planId, fileEndpointId }), { planId, fileEndpointId });
  }
  if (destinations.size === 0) return jobs.map(() => null);
  const plans = await findBackupPlans(manager, [...new Set([...destinations.values()].map(({ planId }) => planId))]);
  const planById = new Map(plans.flatMap((plan) => (plan === null ? [] : [[plan.id, plan] as const])));
  // Active runs are read first. If a run succeeds between the two queries, both find it with the same start, and it
  // counts once. In the other order neither query would find it.
  const underWay = await runsUnderWay(manager, [...planById.keys()], now);
  const backupsOf = await retainedBackups(manager, [...destinations.values()]);
  const runsOf = new Map([...planById.values()].map((plan) => [plan.id, runsAhead(plan, now)]));

  const expected = new Map<string, Date | null>();
  for (const [key, { planId, fileEndpointId }] of destinations) {
    const plan = planById.get(planId);
    // A removed plan deletes nothing.
    if (plan === undefined || plan.removedAt !== null) continue;
    const begun = underWay.filter((run) => destinationKey(run) === key).map(({ startedAt }) => startedAt);
    const ahead = plan.fileEndpointIds.includes(fileEndpointId) ? (runsOf.get(planId) ?? []) : [];
    const { there } = forecastDeletions({
      policy: plan.retention,
      backups: backupsOf.get(key) ?? [],
      nextRuns: [...begun, ...ahead],
      timeZone: plan.timeZone,
    });
    for (const [id, at] of there) expected.set(id, at);
  }
  return jobs.map(({ id }) => expected.get(id) ?? null);
}

function runsAhead({ normalized, timeZone, paused, retention }: BackupPlanRow, now: Date): readonly Date[] {
  return paused ? [] : decisiveRuns(retention, { frequency: parseFrequency(normalized), timeZone }, now);
}
