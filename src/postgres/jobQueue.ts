import type { DataSource, EntityManager } from 'typeorm';
import { StowageError } from '../errors.js';
import { schemaStamp } from './migrate.js';
import { longestPauseMs, type JobKind, type JobQueue, type Lease } from './contracts/jobQueue.js';

type LeaseRow = {
  readonly job_id: string;
  readonly kind: JobKind;
  readonly project_id: string;
  readonly service_id: string;
  readonly worker_id: string;
  readonly attempt: number;
  readonly lease_expires_at: Date;
};

type ClaimedRow = LeaseRow & { readonly put_off: number };

const leaseColumns = 'job_id, kind, project_id, service_id, worker_id, attempt, lease_expires_at';
/** Whoever says so holds the newest lease, and it has not run out. $1 job, $2 worker, $3 attempt. */
const isHeld = 'job_id = $1 AND worker_id = $2 AND attempt = $3 AND lease_expires_at > clock_timestamp()';
/** Whatever the clocks do: `ripe_at` says of what was never tried that it was due when it was queued. */
const isPast = 'job.ripe_at <= statement_timestamp()';
/** A time further away than any pause was set by a clock that was ahead. */
const isFarAhead = `job.ripe_at > statement_timestamp() + ${longestPauseMs} * interval '1 millisecond'`;
const isDue = `(${isPast} OR ${isFarAhead})`;

export function createJobQueue(dataSource: DataSource): JobQueue {
  const stamp = schemaStamp(dataSource);
  return {
    async enqueue(manager, job) {
      await manager.query(
        `WITH project AS (
           INSERT INTO job_queue_projects (project_id) VALUES ($3) ON CONFLICT DO NOTHING
         ), slot AS (
           INSERT INTO job_queue_slots (service_id) VALUES ($4) ON CONFLICT DO NOTHING
         ), job AS (
           INSERT INTO job_queue (job_id, kind, project_id, service_id, engine, due_at, queued_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
         )
         SELECT pg_notify('stowage_work', '')`,
        [job.jobId, job.kind, job.projectId, job.serviceId, job.engine, job.dueAt, job.queuedAt],
      );
    },

    async remove(manager, jobId) {
      await manager.query('DELETE FROM job_queue WHERE job_id = $1', [jobId]);
      await freeSlot(manager, jobId);
    },

    async removeKeeping(manager, jobId, limitMs) {
      await manager.query(
        `WITH over AS (DELETE FROM job_queue WHERE job_id = $1)
         UPDATE job_queue_slots SET kept_until = clock_timestamp() + $2 * interval '1 millisecond' WHERE job_id = $1`,
        [jobId, limitMs],
      );
    },

    async kept() {
      const rows = await dataSource.query<{ job_id: string; is_overdue: boolean }[]>(
        `SELECT job_id, kept_until <= clock_timestamp() AS is_overdue
         FROM job_queue_slots WHERE kept_until IS NOT NULL ORDER BY kept_until`,
      );
      return rows.map((row) => ({ jobId: row.job_id, isOverdue: row.is_overdue }));
    },

    async letGo(manager, jobId) {
      const [, freed] = await manager.query<[unknown, number]>(
        `UPDATE job_queue_slots SET job_id = NULL, kept_until = NULL WHERE job_id = $1 AND kept_until IS NOT NULL`,
        [jobId],
      );
      return freed === 1;
    },

    async requeue(manager, lease, dueAt) {
      const [, givenBack] = await manager.query<[unknown, number]>(
        `UPDATE job_queue SET worker_id = NULL, lease_expires_at = NULL, due_at = $4
         WHERE job_id = $1 AND worker_id = $2 AND attempt = $3`,
        [...holding(lease), dueAt],
      );
      if (givenBack !== 1) throw lost(lease);
      await freeSlot(manager, lease.jobId);
    },

    async claim(manager, workerId, engines, leaseMs, kinds) {
      for (const kind of kinds ?? (await kindsToDo(manager, engines))) {
        for (const projects of [nextProject, anyProject]) {
          const [rows] = await manager.query<[ClaimedRow[], number]>(claimWithin(projects), [
            ...[workerId, engines, leaseMs, kind],
          ]);
          if (rows[0] !== undefined) return { ...leaseOf(rows[0]), putOff: rows[0].put_off };
        }
      }
      return undefined;
    },

    kindsToDo,

    async putOff(manager, jobId, pauseMs) {
      await manager.query("SELECT set_config('stowage.writer_schema', $1, true)", [String(stamp)]);
      await manager.query(
        `UPDATE job_queue SET put_off = put_off + 1, due_at = clock_timestamp() + $2 * interval '1 millisecond'
         WHERE job_id = $1 AND worker_id IS NULL`,
        [jobId, pauseMs],
      );
    },

    async fence(manager, lease) {
      const held = await manager.query<unknown[]>(`SELECT FROM job_queue WHERE ${isHeld} FOR UPDATE`, holding(lease));
      if (held.length !== 1) throw lost(lease);
    },

    async renew(lease, leaseMs) {
      const [, renewed] = await dataSource.query<[unknown, number]>(
        `UPDATE job_queue SET lease_expires_at = clock_timestamp() + $4 * interval '1 millisecond' WHERE ${isHeld}`,
        [...holding(lease), leaseMs],
      );
      return renewed === 1;
    },

    async expired() {
      const rows = await dataSource.query<LeaseRow[]>(
        `SELECT ${leaseColumns} FROM job_queue
         WHERE worker_id IS NOT NULL AND lease_expires_at <= clock_timestamp() ORDER BY lease_expires_at`,
      );
      return rows.map(leaseOf);
    },

    async takeExpired(manager, lease) {
      const taken = await manager.query<unknown[]>(
        `SELECT FROM job_queue
         WHERE job_id = $1 AND worker_id = $2 AND attempt = $3 AND lease_expires_at <= clock_timestamp()
         FOR UPDATE SKIP LOCKED`,
        holding(lease),
      );
      return taken.length === 1;
    },

    async holder(manager, jobId) {
      const [row] = await manager.query<(LeaseRow | (Omit<LeaseRow, 'worker_id'> & { readonly worker_id: null }))[]>(
        `SELECT ${leaseColumns} FROM job_queue WHERE job_id = $1 FOR UPDATE`,
        [jobId],
      );
      return row === undefined || row.worker_id === null ? undefined : leaseOf(row);
    },

    async waiting() {
      const rows = await dataSource.query<{ job_id: string; due_at: Date }[]>(
        'SELECT job_id, due_at FROM job_queue WHERE worker_id IS NULL ORDER BY due_at',
      );
      return rows.map((row) => ({ jobId: row.job_id, dueAt: row.due_at }));
    },

    async nextDue() {
      const [{ due }] = await dataSource.query<[{ due: Date | null }]>(
        'SELECT min(due_at) AS due FROM job_queue WHERE worker_id IS NULL',
      );
      return due ?? undefined;
    },
  };
}

/** Services that are worked on, or kept: hardly more than there are leases, however many jobs wait for them. */
const busyServices = 'SELECT service_id FROM job_queue_slots WHERE job_id IS NOT NULL';

const isFree = `job.service_id NOT IN (${busyServices})`;

/**
 * $1 engines: whether any job whose time has come is for a service that nobody works on. It goes from busy
 * service to busy service through an index of the waiting jobs by service, and so passes over all that wait for one at
 * once.
 */
const isAnyFree = (kind: string) => `(
  WITH RECURSIVE hop AS (
    (SELECT job.service_id FROM job_queue job WHERE ${waitingFor(kind, '$1')} AND ${isPast}
     ORDER BY job.service_id LIMIT 1)
    UNION ALL
    SELECT (
      SELECT job.service_id FROM job_queue job
      WHERE ${waitingFor(kind, '$1')} AND ${isPast} AND job.service_id > hop.service_id
      ORDER BY job.service_id LIMIT 1
    )
    FROM hop WHERE hop.service_id IN (${busyServices})
  )
  SELECT EXISTS (SELECT FROM hop WHERE service_id NOT IN (${busyServices}))
)`;

/** Jobs that no worker is on. */
function waitingFor(kind: string, engines: string): string {
  return `job.worker_id IS NULL AND job.kind = ${kind} AND job.engine = ANY(${engines}::text[])`;
}

/** None is what most looks find, and costs a few milliseconds however many jobs wait. */
async function kindsToDo(manager: EntityManager, engines: readonly string[]): Promise<readonly JobKind[]> {
  const [found] = await manager.query<[{ restores: boolean; backups: boolean }]>(
    `SELECT ${isAnythingToDo("'RESTORE'")} AS restores, ${isAnythingToDo("'BACKUP'")} AS backups`,
    [engines],
  );
  return [...(found.restores ? (['RESTORE'] as const) : []), ...(found.backups ? (['BACKUP'] as const) : [])];
}

/** $1 engines. */
function isAnythingToDo(kind: string): string {
  const waiting = waitingFor(kind, '$1');
  return `(
    CASE WHEN EXISTS (SELECT FROM job_queue job WHERE ${waiting} AND ${isPast}) THEN ${isAnyFree(kind)} ELSE false END
    OR EXISTS (SELECT FROM job_queue job WHERE ${waiting} AND ${isFarAhead} AND ${isFree})
  )`;
}

/** $2 engines, $4 kind. A LIMIT instead of EXISTS keeps PostgreSQL from reading all projects' jobs to answer for one. */
function hasOne(ripe: string): string {
  return `(
    SELECT true FROM job_queue job
    WHERE job.project_id = project.project_id AND ${waitingFor('$4', '$2')} AND ${ripe} AND ${isFree} LIMIT 1
  )`;
}

/**
 * The project whose turn it is, locked until the claim is committed: claims at the same instant serve different
 * projects. One whose turn another claim has noted since this statement began is passed over, as it would be if the
 * statement had begun later: `seen` keeps what was there then.
 */
const nextProject = `
  SELECT project.project_id
  FROM job_queue_projects project JOIN job_queue_projects seen USING (project_id)
  WHERE project.last_turn = seen.last_turn AND (${hasOne(isPast)} OR ${hasOne(isFarAhead)})
  ORDER BY project.last_turn LIMIT 1
  FOR UPDATE OF project SKIP LOCKED`;

/** For when every project that has work is just being served by other claims: they share them by chance, none waits. */
const anyProject = 'SELECT project_id FROM job_queue_projects ORDER BY random()';

/**
 * $1 worker, $2 engines, $3 milliseconds, $4 kind. Everything that is changed was locked by the first parts, without
 * waiting; whose turn a project has had is noted unless another claim for the same project is just noting it.
 */
function claimWithin(projects: string): string {
  return `
    WITH project AS MATERIALIZED (${projects}
    ), next AS MATERIALIZED (
      SELECT oldest.*
      FROM project CROSS JOIN LATERAL (
        SELECT job.job_id, job.service_id, job.project_id, job.put_off
        FROM job_queue job JOIN job_queue_slots slot USING (service_id)
        WHERE job.project_id = project.project_id AND ${waitingFor('$4', '$2')} AND ${isDue}
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
    SET worker_id = $1, attempt = attempt + 1, put_off = 0,
        lease_expires_at = clock_timestamp() + $3 * interval '1 millisecond'
    FROM next WHERE job_queue.job_id = next.job_id
    RETURNING next.put_off, ${leaseColumns
      .split(', ')
      .map((column) => `job_queue.${column}`)
      .join(', ')}`;
}

async function freeSlot(manager: EntityManager, jobId: string): Promise<void> {
  await manager.query('UPDATE job_queue_slots SET job_id = NULL WHERE job_id = $1 AND kept_until IS NULL', [jobId]);
}

function lost({ workerId, attempt, jobId }: Lease): StowageError {
  return new StowageError('WORKER_LOST', `Worker ${workerId} no longer holds attempt ${attempt} of job ${jobId}.`);
}

function holding({ jobId, workerId, attempt }: Lease): [string, string, number] {
  return [jobId, workerId, attempt];
}

function leaseOf(row: LeaseRow): Lease {
  return {
    jobId: row.job_id,
    kind: row.kind,
    projectId: row.project_id,
    serviceId: row.service_id,
    workerId: row.worker_id,
    attempt: row.attempt,
    expiresAt: row.lease_expires_at,
  };
}
