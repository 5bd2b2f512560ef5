import type { EntityManager } from 'typeorm';
import { longestPauseMs, type ClaimedLease, type JobQueue } from './contracts/jobQueue.js';

/** The columns of a `Lease`. */
export const leaseColumns =
  'job_queue.job_id AS "jobId", job_queue.kind, job_queue.project_id AS "projectId", ' +
  'job_queue.service_id AS "serviceId", job_queue.worker_id AS "workerId", job_queue.attempt, ' +
  'job_queue.lease_expires_at AS "expiresAt"';

/** `ripe_at` is -infinity until the first attempt. So if the clock goes back, no due job is delayed. */
const isPast = 'job.ripe_at <= statement_timestamp()';
/** No pause is this long, so a clock that was ahead has set the time. */
const isFarAhead = `job.ripe_at > statement_timestamp() + ${longestPauseMs} * interval '1 millisecond'`;
const isDue = `(${isPast} OR ${isFarAhead})`;

export const claimJob: JobQueue['claim'] = async (manager, workerId, engines, leaseMs, kinds) => {
  for (const kind of kinds) {
    for (const projects of [nextProject, anyProject]) {
      const [rows] = await manager.query<[ClaimedLease[], number]>(claimWithin(projects), [
        ...[engines, kind, workerId, leaseMs],
      ]);
      if (rows[0] !== undefined) return rows[0];
    }
  }
  return undefined;
};

/** Services with a lease or a lock. There are about as many as leases, even if many jobs wait. */
const busyServices = 'SELECT service_id FROM job_queue_slots WHERE job_id IS NOT NULL';

const isFree = `job.service_id NOT IN (${busyServices})`;

/** Jobs without a lease. $1 engines, $2 kind. */
const waiting = 'job.worker_id IS NULL AND job.engine = ANY($1::text[]) AND job.kind = $2';

/**
 * Whether any due job is for a free service. $1 engines, $2 kind. The query goes from service to service through an
 * index of the waiting jobs by service. So it skips all jobs of a busy service at once.
 */
const isAnyFree = `(
  WITH RECURSIVE hop AS (
    (SELECT job.service_id FROM job_queue job WHERE ${waiting} AND ${isPast}
     ORDER BY job.service_id LIMIT 1)
    UNION ALL
    SELECT (
      SELECT job.service_id FROM job_queue job
      WHERE ${waiting} AND ${isPast} AND job.service_id > hop.service_id
      ORDER BY job.service_id LIMIT 1
    )
    FROM hop WHERE hop.service_id IN (${busyServices})
  )
  SELECT EXISTS (SELECT FROM hop WHERE service_id NOT IN (${busyServices}))
)`;

/** $1 engines, $2 kind. */
const isAnythingToDo = `
  SELECT
    CASE WHEN EXISTS (SELECT FROM job_queue job WHERE ${waiting} AND ${isPast}) THEN ${isAnyFree} ELSE false END
    OR EXISTS (SELECT FROM job_queue job WHERE ${waiting} AND ${isFarAhead} AND ${isFree}) AS is_any`;

/** Most calls find nothing. Such a call takes a few milliseconds, even if many jobs wait. */
export async function kindsToDo(
  manager: EntityManager,
  engines: readonly string[],
  kinds: readonly string[],
): Promise<readonly string[]> {
  const found: string[] = [];
  // Each kind has its own statement. In one statement for all kinds, PostgreSQL scans more of the index (30 ms instead
  // of 4).
  for (const kind of kinds) {
    const [row] = await manager.query<[{ is_any: boolean }]>(isAnythingToDo, [engines, kind]);
    if (row.is_any) found.push(kind);
  }
  return found;
}

/** $1 engines, $2 kind. With EXISTS instead of LIMIT, PostgreSQL would read the jobs of all projects. */
function hasOne(ripe: string): string {
  return `(
    SELECT true FROM job_queue job
    WHERE job.project_id = project.project_id AND ${waiting} AND ${ripe} AND ${isFree} LIMIT 1
  )`;
}

/**
 * The project to serve next. Its row stays locked until the claim commits, so that claims at the same instant serve
 * different projects. `seen` is the row as it was when this statement began. A project that another claim has served
 * since then is skipped.
 */
const nextProject = `
  SELECT project.project_id
  FROM job_queue_projects project JOIN job_queue_projects seen USING (project_id)
  WHERE project.last_turn = seen.last_turn AND (${hasOne(isPast)} OR ${hasOne(isFarAhead)})
  ORDER BY project.last_turn LIMIT 1
  FOR UPDATE OF project SKIP LOCKED`;

/** Used if other claims have locked all projects with work: the order is random, and no claim waits. */
const anyProject = 'SELECT project_id FROM job_queue_projects ORDER BY random()';

/**
 * $1 engines, $2 kind, $3 worker, $4 milliseconds. The first parts lock all rows that are changed, without waiting. The
 * turn of the project is recorded unless another claim records it at the same time.
 */
function claimWithin(projects: string): string {
  return `
    WITH project AS MATERIALIZED (${projects}
    ), next AS MATERIALIZED (
      SELECT oldest.*
      FROM project CROSS JOIN LATERAL (
        SELECT job.job_id, job.service_id, job.project_id, job.put_off
        FROM job_queue job JOIN job_queue_slots slot USING (service_id)
        WHERE job.project_id = project.project_id AND ${waiting} AND ${isDue}
          AND slot.job_id IS NULL AND ${isFree}
        ORDER BY job.due_at, job.queued_at, job.job_id
        LIMIT 1
        FOR UPDATE OF job, slot SKIP LOCKED
      ) oldest
      LIMIT 1
    ), turn AS (
      UPDATE job_queue_projects SET last_turn = nextval('job_queue_turns') WHERE project_id IN (
        SELECT project_id FROM job_queue_projects JOIN next USING (project_id)
        FOR UPDATE OF job_queue_projects SKIP LOCKED
      )
    ), slot AS (
      UPDATE job_queue_slots SET job_id = next.job_id FROM next WHERE job_queue_slots.service_id = next.service_id
    )
    UPDATE job_queue
    SET worker_id = $3, attempt = attempt + 1, put_off = 0,
        lease_expires_at = clock_timestamp() + $4 * interval '1 millisecond'
    FROM next WHERE job_queue.job_id = next.job_id
    RETURNING next.put_off AS "putOff", ${leaseColumns}`;
}
