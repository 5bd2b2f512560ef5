import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The registry of workers, with the time of their last heartbeat by the clock of PostgreSQL. It may lose rows, because
 * a running worker writes its row again. It also adds columns to the queue, so that a claim can choose one project and
 * skip a job that cannot be started.
 */
export class Workers1700000000008 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE workers (
        id              text PRIMARY KEY,
        host            text NOT NULL,
        pid             integer NOT NULL,
        program_version text NOT NULL,
        concurrency     integer NOT NULL,
        engines         jsonb NOT NULL, -- [{ engine, tool, version }], of the engines it can run
        draining        boolean NOT NULL,
        lost_after_ms   integer NOT NULL, -- not heard for longer than this it counts as lost
        started_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
        last_heard_at   timestamptz NOT NULL DEFAULT clock_timestamp()
      );

      ALTER TABLE job_queue ADD put_off integer NOT NULL DEFAULT 0; -- how often in a row it could not be started
      CREATE INDEX job_queue_waiting_of_project ON job_queue (project_id, kind, due_at) WHERE worker_id IS NULL;
      CREATE INDEX job_queue_leases ON job_queue (worker_id) WHERE worker_id IS NOT NULL;
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP INDEX job_queue_leases;
      DROP INDEX job_queue_waiting_of_project;
      ALTER TABLE job_queue DROP put_off;
      DROP TABLE workers;
    `);
  }
}
