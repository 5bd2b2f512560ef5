import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The read model of restore jobs. */
export class RestoreJobs1700000000106 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE restore_jobs (
        id                  uuid PRIMARY KEY,
        project_id          uuid NOT NULL,
        backup_job_id       uuid NOT NULL,
        target_service_id   uuid NOT NULL,
        engine              text NOT NULL,
        mode                text NOT NULL,
        requested_by        text NOT NULL,
        queued_at           timestamptz NOT NULL,
        max_attempts        integer NOT NULL,
        stall_timeout_ms    double precision NOT NULL,
        status              text NOT NULL,
        phase               text,
        started_at          timestamptz,
        finished_at         timestamptz,
        retry_at            timestamptz,
        tool_started        boolean NOT NULL,
        cancel_requested_by text,
        error               jsonb,
        attempt             integer NOT NULL,
        attempts            jsonb NOT NULL,
        warnings            jsonb NOT NULL,
        differences         jsonb,
        version             integer NOT NULL
      );
      CREATE INDEX restore_jobs_of_project ON restore_jobs (project_id, queued_at DESC, id DESC);
      CREATE INDEX restore_jobs_of_backup ON restore_jobs (backup_job_id, queued_at DESC, id DESC);
      CREATE INDEX restore_jobs_of_target ON restore_jobs (target_service_id, queued_at DESC, id DESC);
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE restore_jobs');
  }
}
