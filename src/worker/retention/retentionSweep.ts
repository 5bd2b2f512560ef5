import { retainedBackups, destinationKey, type Destination } from '../../backups/retention/retainedBackups.js';
import type { RetentionPolicy } from '../../plans/retention/retentionPolicy.js';
import { decideRetention } from '../../plans/retention/retention.js';
import type { WorkerTools } from '../workerTools.js';

/**
 * The most backups that are read at once. Reading them blocks this process for some milliseconds, in which no heartbeat
 * runs.
 */
const mostBackups = 2_000;

type Candidate = Destination & {
  readonly policy: RetentionPolicy;
  readonly timeZone: string;
  /** The number of stored backups there, without those made by hand. */
  readonly backups: number;
  /** A fingerprint that stays the same while neither the plan nor its backups change. */
  readonly state: string;
};

/**
 * Finds the destinations at which retention deletes something now, before anything is locked or checked in a container.
 * One query over an index excludes most destinations. The backups of the others are read, a few destinations at a time.
 * What FILES and GFS keep does not depend on the time, so a destination of theirs without deletions is evaluated again
 * only after a change.
 */
export function createRetentionSweep(
  tools: Pick<WorkerTools, 'dataSource' | 'now'>,
): () => Promise<readonly Destination[]> {
  let settled = new Map<string, string>();

  return async () => {
    const now = tools.now();
    const { manager } = tools.dataSource;
    const stillSettled = new Map<string, string>();
    const unsettled: Candidate[] = [];
    for (const candidate of await candidates(tools, now)) {
      const key = destinationKey(candidate);
      if (settled.get(key) === candidate.state) stillSettled.set(key, candidate.state);
      else unsettled.push(candidate);
    }

    const found: Destination[] = [];
    for (const batch of inBatches(unsettled)) {
      const backupsOf = await retainedBackups(manager, batch);
      for (const candidate of batch) {
        const { planId, fileEndpointId, policy, timeZone, state } = candidate;
        const key = destinationKey(candidate);
        const { delete: going } = decideRetention({ policy, backups: backupsOf.get(key) ?? [], now, timeZone });
        if (going.length > 0) found.push({ planId, fileEndpointId });
        else if (policy.style === 'GFS' || policy.style === 'FILES') stillSettled.set(key, state);
      }
    }
    settled = stillSettled;
    return found;
  };
}

function* inBatches(candidates: readonly Candidate[]): Generator<readonly Candidate[]> {
  let batch: Candidate[] = [];
  let backups = 0;
  for (const candidate of candidates) {
    if (batch.length > 0 && backups + candidate.backups > mostBackups) {
      yield batch;
      [batch, backups] = [[], 0];
    }
    batch.push(candidate);
    backups += candidate.backups;
  }
  if (batch.length > 0) yield batch;
}

/**
 * The query compares with PostgreSQL's months. The 5 days allow for the clamped end of a month and for the distance
 * from UTC.
 */
async function candidates({ dataSource }: Pick<WorkerTools, 'dataSource'>, now: Date): Promise<readonly Candidate[]> {
  const rows = await dataSource.query<
    {
      plan_id: string;
      file_endpoint_id: string;
      retention: RetentionPolicy;
      time_zone: string;
      backups: number;
      state: string;
    }[]
  >(
    `WITH destination AS (
       SELECT plan_id, file_endpoint_id, count(*) AS backups, min(started_at) AS oldest,
         sum(hashtextextended(id::text, version)) AS versions
       FROM backup_jobs
       WHERE availability = 'STORED' AND plan_id IS NOT NULL AND trigger IN ('SCHEDULE', 'CATCH_UP', 'RETRY')
       GROUP BY plan_id, file_endpoint_id HAVING count(*) > 1
     ), policy AS (
       SELECT id AS plan_id, retention, retention ->> 'style' AS style, (retention ->> 'period')::integer AS period,
         time_zone, version
       FROM backup_plans WHERE removed_at IS NULL
     )
     SELECT plan_id, file_endpoint_id, retention, time_zone, backups::integer, concat_ws(' ', version, versions) AS state
     FROM destination JOIN policy USING (plan_id)
     WHERE CASE style
       WHEN 'FILES' THEN backups > period
       WHEN 'HOURS' THEN oldest <= $1::timestamptz - make_interval(hours => period)
       WHEN 'DAYS' THEN oldest <= $1::timestamptz - make_interval(hours => 24 * period)
       WHEN 'WEEKS' THEN oldest <= $1::timestamptz - make_interval(hours => 168 * period)
       WHEN 'MONTHS' THEN oldest <= $1::timestamptz - make_interval(months => period) + interval '5 days'
       ELSE style = 'GFS'
     END`,
    [now],
  );
  return rows.map(({ plan_id, file_endpoint_id, retention, time_zone, backups, state }) => ({
    ...{ planId: plan_id, fileEndpointId: file_endpoint_id, policy: retention, timeZone: time_zone, backups, state },
  }));
}
