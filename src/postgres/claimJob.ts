import type { EntityManager } from 'typeorm';
import { accepts, hasToolsOf } from './acceptingWorkers.js';
import { advisoryLocks } from './advisoryLocks.js';
import { jobPriorities, longestPauseMs, type ClaimedLease, type JobQueue } from './contracts/jobQueue.js';

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

/**
 * Claims follow one another: a claim holds this lock until its transaction ends. So each one counts all slots that the
 * claims before it have taken. PostgreSQL ends a transaction whose process is frozen.
 */
const oneAtATime = `SELECT pg_advisory_xact_lock(${advisoryLocks.claim})`;

export const claimJob: JobQueue['claim'] = async (manager, workerId, engines, leaseMs, kinds, share = null) => {
  await manager.query(oneAtATime);
  for (const projects of [nextProject, anyProject]) {
    const [rows] = await manager.query<[ClaimedLease[], number]>(claimWithin(projects), [
      ...[engines, kinds, workerId, leaseMs, share],
    ]);
    if (rows[0] !== undefined) return rows[0];
  }
  return undefined;
};

/** Services with a lease or a lock. There are about as many as leases, even if many jobs wait. */
const busyServices = 'SELECT service_id FROM job_queue_slots WHERE job_id IS NOT NULL';

const isFree = `job.service_id NOT IN (${busyServices})`;

/** Jobs without a lease. $1 engines. */
const isWaiting = 'job.worker_id IS NULL AND job.engine = ANY($1::text[])';

/** $1 engines, $2 kind. */
const waitingOfKind = `${isWaiting} AND job.kind = $2`;

/** $1 engines, $2 kinds. */
const waiting = `${isWaiting} AND job.kind = ANY($2::text[])`;

/**
 * Whether any due job is for a free service. $1 engines, $2 kind. The query goes from service to service through an
 * index of the waiting jobs by service. So it skips all jobs of a busy service at once.
 */
const isAnyFree = `(
  WITH RECURSIVE hop AS (
    (SELECT job.service_id FROM job_queue job WHERE ${waitingOfKind} AND ${isPast}
     ORDER BY job.service_id LIMIT 1)
    UNION ALL
    SELECT (
      SELECT job.service_id FROM job_queue job
      WHERE ${waitingOfKind} AND ${isPast} AND job.service_id > hop.service_id
      ORDER BY job.service_id LIMIT 1
    )
    FROM hop WHERE hop.service_id IN (${busyServices})
  )
  SELECT EXISTS (SELECT FROM hop WHERE service_id NOT IN (${busyServices}))
)`;

/** $1 engines, $2 kind. */
const isAnythingToDo = `
  SELECT
    CASE WHEN EXISTS (SELECT FROM job_queue job WHERE ${waitingOfKind} AND ${isPast}) THEN ${isAnyFree} ELSE false END
    OR EXISTS (SELECT FROM job_queue job WHERE ${waitingOfKind} AND ${isFarAhead} AND ${isFree}) AS is_any`;

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

/** Jobs that this claim may choose. $1 engines, $2 kinds. */
const isClaimable = `${waiting} AND ${isDue} AND ${isFree}`;

const isUrgent = `job.priority < ${jobPriorities.SCHEDULED}`;

/**
 * With EXISTS instead of LIMIT, PostgreSQL would read the jobs of all projects. The order makes it use the index of the
 * project's jobs.
 */
const hasWork = `(
  SELECT true FROM job_queue job WHERE job.project_id = project.project_id AND ${isClaimable}
  ORDER BY job.priority, job.due_at LIMIT 1
)`;

/**
 * `holder`: the projects with leases. `sated`: the projects that have their share of the slots that could run a job of one
 * of these engines. `latest`: the project that got the last slot. $1 engines, $5 share.
 */
const shares = `
  holder AS MATERIALIZED (
    SELECT project_id, count(*) AS held FROM job_queue WHERE worker_id IS NOT NULL GROUP BY project_id
  ), pool AS MATERIALIZED (
    SELECT engine.name, worker.id AS worker_id,
      sum(worker.concurrency) OVER (PARTITION BY engine.name) AS slots
    FROM unnest($1::text[]) AS engine (name) JOIN workers worker ON ${accepts} AND ${hasToolsOf('engine.name')}
  ), sated AS MATERIALIZED (
    SELECT lease.project_id
    FROM pool JOIN job_queue lease USING (worker_id)
    GROUP BY lease.project_id, pool.name, pool.slots
    HAVING count(*) >= greatest(1, CASE WHEN $5::float8 IS NULL THEN pool.slots - 1 ELSE floor(pool.slots * $5) END)
  ), latest AS MATERIALIZED (
    SELECT project_id, went_ahead FROM job_queue_projects WHERE last_turn > 0 ORDER BY last_turn DESC LIMIT 1
  )`;

const isSated = 'project.project_id IN (SELECT project_id FROM sated)';

/**
 * The project that gets the slot (docs/domain.md, "Which job gets the next free slot?"). COALESCE evaluates no more than
 * it needs.
 */
const nextProject = `
  WITH urgent AS MATERIALIZED (
    SELECT project_id
    FROM (SELECT DISTINCT project_id FROM job_queue job WHERE ${isUrgent} AND ${isClaimable}) project
    JOIN job_queue_projects USING (project_id) LEFT JOIN holder USING (project_id)
    WHERE NOT ${isSated} AND NOT EXISTS (SELECT FROM latest WHERE went_ahead OR latest.project_id = project.project_id)
    ORDER BY coalesce(holder.held, 0), last_turn LIMIT 1
  )
  SELECT coalesce((SELECT project_id FROM urgent), (
      SELECT project.project_id FROM job_queue_projects project
      WHERE project.project_id NOT IN (SELECT project_id FROM holder) AND ${hasWork}
      ORDER BY project.last_turn LIMIT 1
    ), (
      SELECT project.project_id FROM holder JOIN job_queue_projects project USING (project_id)
      WHERE ${hasWork} ORDER BY ${isSated}, holder.held, project.last_turn LIMIT 1
    )) AS project_id, EXISTS (SELECT FROM urgent) AS goes_ahead`;

/** Used if a cancellation has locked the only job of the project whose turn it is. */
const anyProject = `
  SELECT project_id, false AS goes_ahead FROM job_queue_projects project ORDER BY ${isSated}, random()`;

/**
 * $1 engines, $2 kinds, $3 worker, $4 milliseconds, $5 share. The rows of job and service are locked without waiting,
 * because a cancellation may hold them.
 */
function claimWithin(projects: string): string {
  return `
    WITH ${shares}, project AS MATERIALIZED (${projects}
    ), next AS MATERIALIZED (
      SELECT first.*, project.goes_ahead
      FROM project CROSS JOIN LATERAL (
        SELECT job.job_id, job.service_id, job.project_id, job.put_off
        FROM job_queue job JOIN job_queue_slots slot USING (service_id)
        WHERE job.project_id = project.project_id AND ${waiting} AND ${isDue}
          AND slot.job_id IS NULL AND ${isFree}
        ORDER BY job.priority, job.due_at, job.queued_at, job.job_id
        LIMIT 1
        FOR UPDATE OF job, slot SKIP LOCKED
      ) first
      LIMIT 1
    ), turn AS (
      UPDATE job_queue_projects SET last_turn = nextval('job_queue_turns'), went_ahead = next.goes_ahead
      FROM next WHERE job_queue_projects.project_id = next.project_id
    ), slot AS (
      UPDATE job_queue_slots SET job_id = next.job_id FROM next WHERE job_queue_slots.service_id = next.service_id
    )
    UPDATE job_queue
    SET worker_id = $3, attempt = attempt + 1, put_off = 0,
        lease_expires_at = clock_timestamp() + $4 * interval '1 millisecond'
    FROM next WHERE job_queue.job_id = next.job_id
    RETURNING next.put_off AS "putOff", ${leaseColumns}`;
}
