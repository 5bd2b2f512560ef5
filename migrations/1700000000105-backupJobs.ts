import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The read model of backup jobs. */
export class BackupJobs1700000000105 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE backup_jobs (
        id                  uuid PRIMARY KEY,
        project_id          uuid NOT NULL,
        service_id          uuid NOT NULL,
        engine              text NOT NULL,
        plan_id             uuid,
        file_endpoint_id    uuid NOT NULL,
        trigger             text NOT NULL,
        batch_id            uuid NOT NULL,
        requested_by        text NOT NULL,
        retry_of            uuid,
        scheduled_for       timestamptz,
        queued_at           timestamptz NOT NULL,
        max_attempts        integer NOT NULL,
        timeout_ms          double precision,
        stall_timeout_ms    double precision NOT NULL,
        status              text NOT NULL,
        availability        text,
        phase               text,
        skipped_for         uuid,
        started_at          timestamptz,
        finished_at         timestamptz,
        retry_at            timestamptz,
        cancel_requested_by text,
        error               jsonb,
        error_code          text,
        attempt             integer NOT NULL,
        attempts            jsonb NOT NULL,
        folder              text,
        parts               jsonb NOT NULL,
        inventory           jsonb,
        warnings            jsonb NOT NULL,
        size_bytes          bigint,
        stored_size_bytes   bigint,
        readers             jsonb NOT NULL,
        version             integer NOT NULL
      );
      CREATE INDEX backup_jobs_of_project ON backup_jobs (project_id, queued_at DESC, id DESC);
      CREATE INDEX backup_jobs_of_service ON backup_jobs (service_id, queued_at DESC, id DESC);
      CREATE INDEX backup_jobs_of_destination ON backup_jobs (plan_id, file_endpoint_id, scheduled_for DESC);
      CREATE INDEX backup_jobs_newest ON backup_jobs (queued_at DESC, id DESC);
      CREATE INDEX backup_jobs_active ON backup_jobs (project_id) WHERE status IN ('QUEUED', 'RUNNING');
      CREATE INDEX backup_jobs_listed ON backup_jobs (file_endpoint_id) WHERE availability IN ('STORED', 'DELETING');
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE backup_jobs');
  }
}
