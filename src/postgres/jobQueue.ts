import type { DataSource, EntityManager } from 'typeorm';
import { StowageError } from '../errors.js';
import { schemaStamp } from './migrate.js';
import { claimJob, kindsToDo, leaseColumns } from './claimJob.js';
import { jobPriorities, type JobQueue, type KeptService, type Lease } from './contracts/jobQueue.js';

/** True for the holder of the newest lease while the lease is valid. $1 job, $2 worker, $3 attempt. */
const isHeld = 'job_id = $1 AND worker_id = $2 AND attempt = $3 AND lease_expires_at > clock_timestamp()';

export function createJobQueue(dataSource: DataSource): JobQueue {
  return { ...jobs(schemaStamp(dataSource)), ...keptServices(dataSource), ...leases(dataSource), ...times(dataSource) };
}

function jobs(
  stamp: number,
): Pick<JobQueue, 'enqueue' | 'remove' | 'requeue' | 'needTools' | 'claim' | 'kindsToDo' | 'putOff'> {
  return {
    async enqueue(manager, job) {
      await manager.query(
        `WITH project AS (
           INSERT INTO job_queue_projects (project_id) VALUES ($3) ON CONFLICT DO NOTHING
         ), slot AS (
           INSERT INTO job_queue_slots (service_id) VALUES ($4) ON CONFLICT DO NOTHING
         ), job AS (
           INSERT INTO job_queue (job_id, kind, project_id, service_id, engine, due_at, queued_at, priority)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING
         )
         SELECT pg_notify('stowage_work', '')`,
        [
          ...[job.jobId, job.kind, job.projectId, job.serviceId, job.engine, job.dueAt, job.queuedAt],
          jobPriorities[job.priority],
        ],
      );
    },

    async remove(manager, jobId) {
      await manager.query('DELETE FROM job_queue WHERE job_id = $1', [jobId]);
      await freeSlot(manager, jobId);
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

    async needTools(manager, jobId, need) {
      await manager.query('UPDATE job_queue SET engine = $2 WHERE job_id = $1 AND worker_id IS NULL', [jobId, need]);
    },

    claim: claimJob,

    kindsToDo,

    async putOff(manager, jobId, pauseMs) {
      await manager.query("SELECT set_config('stowage.writer_schema', $1, true)", [String(stamp)]);
      await manager.query(
        `UPDATE job_queue SET put_off = put_off + 1, due_at = clock_timestamp() + $2 * interval '1 millisecond'
         WHERE job_id = $1 AND worker_id IS NULL`,
        [jobId, pauseMs],
      );
    },
  };
}

function keptServices(dataSource: DataSource): Pick<JobQueue, 'removeKeeping' | 'keptServices' | 'letGo'> {
  return {
    async removeKeeping(manager, jobId, limitMs) {
      await manager.query(
        `WITH over AS (DELETE FROM job_queue WHERE job_id = $1)
         UPDATE job_queue_slots SET kept_until = clock_timestamp() + $2 * interval '1 millisecond' WHERE job_id = $1`,
        [jobId, limitMs],
      );
    },

    async keptServices() {
      return await dataSource.query<KeptService[]>(
        `SELECT job_id AS "jobId", kept_until <= clock_timestamp() AS "isOverdue"
         FROM job_queue_slots WHERE kept_until IS NOT NULL ORDER BY kept_until`,
      );
    },

    async letGo(manager, jobId) {
      const [, freed] = await manager.query<[unknown, number]>(
        `UPDATE job_queue_slots SET job_id = NULL, kept_until = NULL WHERE job_id = $1 AND kept_until IS NOT NULL`,
        [jobId],
      );
      return freed === 1;
    },
  };
}

function leases(dataSource: DataSource): Pick<JobQueue, 'fence' | 'renew' | 'expired' | 'takeExpired' | 'holder'> {
  return {
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
      return await dataSource.query<Lease[]>(
        `SELECT ${leaseColumns} FROM job_queue
         WHERE worker_id IS NOT NULL AND lease_expires_at <= clock_timestamp() ORDER BY lease_expires_at`,
      );
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
      const [row] = await manager.query<(Lease | (Omit<Lease, 'workerId'> & { readonly workerId: null }))[]>(
        `SELECT ${leaseColumns} FROM job_queue WHERE job_id = $1 FOR UPDATE`,
        [jobId],
      );
      return row === undefined || row.workerId === null ? undefined : row;
    },
  };
}

function times(dataSource: DataSource): Pick<JobQueue, 'waiting' | 'nextDue'> {
  return {
    async waiting() {
      return await dataSource.query<{ jobId: string; dueAt: Date }[]>(
        'SELECT job_id AS "jobId", due_at AS "dueAt" FROM job_queue WHERE worker_id IS NULL ORDER BY due_at',
      );
    },

    async nextDue() {
      const [{ due }] = await dataSource.query<[{ due: Date | null }]>(
        'SELECT min(due_at) AS due FROM job_queue WHERE worker_id IS NULL',
      );
      return due ?? undefined;
    },
  };
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
