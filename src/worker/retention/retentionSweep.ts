import { retainedBackups, destinationKey, type Destination } from '../../backups/retention/retainedBackups.js';
import type { RetentionPolicy, RetentionStyle } from '../../plans/retention/retentionPolicy.js';
import { countedTriggers, decideRetention } from '../../plans/retention/retention.js';
import type { WorkerTools } from '../workerTools.js';

/**
 * The most backups that one batch reads. A batch blocks the event loop, and so the heartbeats, for some milliseconds.
 */
const mostBackups = 2_000;

type Candidate = Destination & {
  readonly policy: RetentionPolicy;
  readonly timeZone: string;
  /** The number of stored backups, without manual ones. */
  readonly backups: number;
  /** Changes with every event of the plan and of the backups. */
  readonly state: string;
};

/**
 * The SQL condition under which a style may have something to delete. It uses the destination's `backups` and `oldest`
 * start and the policy's `period`; $1 is now. Months in PostgreSQL may differ from the plan's calendar by some days at
 * the end of a month and by the offset from UTC.
 */
const mayDelete: Readonly<Record<RetentionStyle, string>> = {
  ALL: 'false',
  FILES: 'backups > period',
  HOURS: 'oldest <= $1::timestamptz - make_interval(hours => period)',
  DAYS: 'oldest <= $1::timestamptz - make_interval(hours => 24 * period)',
  WEEKS: 'oldest <= $1::timestamptz - make_interval(hours => 168 * period)',
  MONTHS: "oldest <= $1::timestamptz - make_interval(months => period) + interval '5 days'",
  GFS: 'true',
};
const conditions = Object.entries(mayDelete).map(([style, condition]) => `WHEN '${style}' THEN ${condition}`);

/** Whether the same backups need another decision as time passes. */
const dependsOnTime: Readonly<Record<RetentionStyle, boolean>> = {
  ...{ ALL: false, FILES: false, GFS: false },
  ...{ HOURS: true, DAYS: true, WEEKS: true, MONTHS: true },
};

/**
 * Finds the destinations that have a backup to delete now. It takes no lock and reads no container, so the decision is
 * made again before the deletion. One query over an index excludes most destinations. The backups of the others are
 * read, a few destinations at a time. A destination whose style does not depend on the time is `settled` when it has
 * nothing to delete: its backups are then read again only after an event.
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
        else if (!dependsOnTime[policy.style]) stillSettled.set(key, state);
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

async function candidates({ dataSource }: Pick<WorkerTools, 'dataSource'>, now: Date): Promise<readonly Candidate[]> {
  return await dataSource.query<Candidate[]>(
    `WITH destination AS (
       SELECT plan_id, file_endpoint_id, count(*) AS backups, min(started_at) AS oldest,
         sum(hashtextextended(id::text, version)) AS versions
       FROM backup_jobs
       WHERE availability = 'STORED' AND plan_id IS NOT NULL AND trigger IN (${countedTriggers.map((trigger) => `'${trigger}'`).join(', ')})
       GROUP BY plan_id, file_endpoint_id HAVING count(*) > 1
     ), policy AS (
       SELECT id AS plan_id, retention, retention ->> 'style' AS style, (retention ->> 'period')::integer AS period,
         time_zone, version
       FROM backup_plans WHERE removed_at IS NULL
     )
     SELECT plan_id AS "planId", file_endpoint_id AS "fileEndpointId", retention AS policy, time_zone AS "timeZone",
       backups::integer, concat_ws(' ', version, versions) AS state
     FROM destination JOIN policy USING (plan_id)
     WHERE CASE style ${conditions.join(' ')} END`,
    [now],
  );
}
