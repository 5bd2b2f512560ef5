import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The queue of jobs, and the leases of running jobs.
 * A claim locks the row of the job and the slot of its service with SKIP LOCKED, so claims never wait for each other.
 */
export class JobQueue1700000000005 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE job_queue (
        job_id           text PRIMARY KEY,
        kind             text NOT NULL CHECK (kind IN ('BACKUP', 'RESTORE')),
        project_id       text NOT NULL,
        service_id       text NOT NULL,
        engine           text NOT NULL,
        due_at           timestamptz NOT NULL,
        queued_at        timestamptz NOT NULL,
        attempt          integer NOT NULL DEFAULT 0, -- the fencing token of the newest lease
        worker_id        text,
        lease_expires_at timestamptz,
        CONSTRAINT job_queue_lease_is_whole CHECK ((worker_id IS NULL) = (lease_expires_at IS NULL))
      );
      CREATE UNIQUE INDEX job_queue_one_lease_a_service ON job_queue (service_id) WHERE worker_id IS NOT NULL;
      CREATE INDEX job_queue_waiting ON job_queue (due_at) WHERE worker_id IS NULL;

      CREATE TABLE job_queue_slots (
        service_id text PRIMARY KEY,
        job_id     text -- the job that holds the lease on the service
      );

      CREATE SEQUENCE job_queue_turns;
      CREATE TABLE job_queue_projects (
        project_id text PRIMARY KEY,
        last_turn  bigint NOT NULL DEFAULT 0 -- projects whose last turn is longest ago come first
      );
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP TABLE job_queue_projects;
      DROP SEQUENCE job_queue_turns;
      DROP TABLE job_queue_slots;
      DROP TABLE job_queue;
    `);
  }
}
