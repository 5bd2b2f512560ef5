import type { EntityManager } from 'typeorm';
import type { BackupPlanRow } from '../plans/backupPlanView.js';

/** For each plan and each of its destinations: the number of jobs that FAILED since the last success. */
export async function consecutiveFailures(
  manager: EntityManager,
  plans: readonly BackupPlanRow[],
): Promise<ReadonlyMap<string, readonly number[]>> {
  const destinations = plans.flatMap(({ id, fileEndpointIds }) => fileEndpointIds.map((each) => [id, each] as const));
  const rows = await manager.query<{ planId: string; failures: number }[]>(
    `SELECT plan_id AS "planId", (
       SELECT count(*)::integer FROM backup_jobs job
       WHERE job.plan_id = destination.plan_id AND job.file_endpoint_id = destination.file_endpoint_id
         AND job.status = 'FAILED' AND job.queued_at > coalesce((
           SELECT max(success.queued_at) FROM backup_jobs success
           WHERE success.plan_id = destination.plan_id AND success.file_endpoint_id = destination.file_endpoint_id
             AND success.status = 'SUCCEEDED'
         ), '-infinity')
     ) AS failures
     FROM unnest($1::uuid[], $2::uuid[]) AS destination (plan_id, file_endpoint_id)`,
    [destinations.map(([planId]) => planId), destinations.map(([, fileEndpointId]) => fileEndpointId)],
  );
  const byPlan = new Map<string, number[]>();
  for (const { planId, failures } of rows) byPlan.set(planId, [...(byPlan.get(planId) ?? []), failures]);
  return byPlan;
}

/** The start of the newest stored backup, by service. */
export async function newestStored(
  manager: EntityManager,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Date | null>> {
  const rows = await manager.query<{ id: string; dataAsOf: Date | null }[]>(
    `SELECT service.id, (
       SELECT max(started_at) FROM backup_jobs job WHERE job.service_id = service.id AND job.availability = 'STORED'
     ) AS "dataAsOf"
     FROM unnest($1::uuid[]) AS service (id)`,
    [ids],
  );
  return new Map(rows.map((row) => [row.id, row.dataAsOf]));
}

export type Milestones = {
  readonly dataAsOf: Date | null;
  readonly latestId: string | null;
  readonly lastSuccessId: string | null;
};

export const noMilestones: Milestones = { dataAsOf: null, latestId: null, lastSuccessId: null };

/** The newest job, the newest success and the start of the newest stored backup, by service or by plan. */
export async function milestones(
  manager: EntityManager,
  owner: 'service_id' | 'plan_id',
  ids: readonly string[],
): Promise<ReadonlyMap<string, Milestones>> {
  const rows = await manager.query<(Milestones & { readonly id: string })[]>(
    `SELECT owner.id,
       (SELECT max(started_at) FROM backup_jobs WHERE ${owner} = owner.id AND availability = 'STORED') AS "dataAsOf",
       (SELECT id FROM backup_jobs job WHERE ${owner} = owner.id
        ORDER BY queued_at DESC, job.id DESC LIMIT 1) AS "latestId",
       (SELECT id FROM backup_jobs job WHERE ${owner} = owner.id AND status = 'SUCCEEDED'
        ORDER BY started_at DESC, job.id DESC LIMIT 1) AS "lastSuccessId"
     FROM unnest($1::uuid[]) AS owner (id)`,
    [ids],
  );
  return new Map(rows.map((row) => [row.id, row]));
}
