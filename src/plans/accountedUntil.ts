import type { EntityManager } from 'typeorm';
import type { BackupPlanRow } from './backupPlanView.js';

/** Of a plan and one of its endpoints: up to and including when every tick was run, recorded as missed, or is none of its. */
export type AccountedUntil = (plan: Schedule, fileEndpointId: string) => Date;

type Schedule = Pick<BackupPlanRow, 'id' | 'fileEndpointIds' | 'scheduledSince' | 'accountedUntil'>;

/** Asks once for all the plans: when their schedules began, what was recorded as missed, and the ticks that made jobs. */
export async function accountedUntil(manager: EntityManager, plans: readonly Schedule[]): Promise<AccountedUntil> {
  const destinations = plans.flatMap((plan) =>
    plan.fileEndpointIds.map((endpointId) => [plan.id, endpointId] as const),
  );
  const rows = await manager.query<{ plan_id: string; file_endpoint_id: string; newest: Date | null }[]>(
    `SELECT plan_id, file_endpoint_id, (
       SELECT max(job.scheduled_for) FROM backup_jobs job
       WHERE job.plan_id = destination.plan_id AND job.file_endpoint_id = destination.file_endpoint_id
     ) AS newest
     FROM unnest($1::uuid[], $2::uuid[]) AS destination (plan_id, file_endpoint_id)`,
    [destinations.map(([planId]) => planId), destinations.map(([, endpointId]) => endpointId)],
  );
  const newest = new Map(rows.map((row) => [`${row.plan_id} ${row.file_endpoint_id}`, row.newest?.getTime()]));
  return (plan, fileEndpointId) => {
    const recorded = plan.accountedUntil[fileEndpointId];
    return new Date(
      Math.max(
        plan.scheduledSince.getTime(),
        newest.get(`${plan.id} ${fileEndpointId}`) ?? 0,
        recorded === undefined ? 0 : Date.parse(recorded),
      ),
    );
  };
}
