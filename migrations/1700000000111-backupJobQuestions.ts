import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Columns in the indexes, so that counts and sums read no rows. */
const figures = 'INCLUDE (status, started_at, finished_at, stored_size_bytes)';

/** Indexes for the queries of dashboards about backup jobs, and for LATE services. */
export class BackupJobQuestions1700000000111 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP INDEX backup_jobs_newest, backup_jobs_of_project, backup_jobs_of_service, backup_jobs_of_plan;
      CREATE INDEX backup_jobs_newest ON backup_jobs (queued_at DESC, id DESC) ${figures};
      CREATE INDEX backup_jobs_of_project ON backup_jobs (project_id, queued_at DESC, id DESC) ${figures};
      CREATE INDEX backup_jobs_of_service ON backup_jobs (service_id, queued_at DESC, id DESC) ${figures};
      CREATE INDEX backup_jobs_of_plan ON backup_jobs (plan_id, queued_at DESC, id DESC) ${figures};
      CREATE INDEX backup_jobs_of_endpoint ON backup_jobs (file_endpoint_id, queued_at DESC, id DESC);

      -- Totals of everything that ever was, for metrics.
      CREATE INDEX backup_jobs_totals ON backup_jobs (status, availability) INCLUDE (size_bytes, stored_size_bytes);

      -- What is rare is found without going through what is not.
      CREATE INDEX backup_jobs_not_succeeded ON backup_jobs (status, queued_at DESC, id DESC)
        WHERE status <> 'SUCCEEDED';
      CREATE INDEX backup_jobs_of_error ON backup_jobs (error_code, queued_at DESC, id DESC)
        WHERE error_code IS NOT NULL;
      CREATE INDEX backup_jobs_of_trigger ON backup_jobs (trigger, queued_at DESC, id DESC)
        WHERE trigger <> 'SCHEDULE';

      -- A list by one of these is read forwards or backwards; jobs without the value come after it.
      CREATE INDEX backup_jobs_by_start ON backup_jobs (started_at, id) WHERE started_at IS NOT NULL;
      CREATE INDEX backup_jobs_by_start_of_project ON backup_jobs (project_id, started_at, id)
        WHERE started_at IS NOT NULL;
      CREATE INDEX backup_jobs_by_duration
        ON backup_jobs (((extract(epoch FROM finished_at - started_at) * 1000)::bigint), id)
        WHERE (extract(epoch FROM finished_at - started_at) * 1000)::bigint IS NOT NULL;
      CREATE INDEX backup_jobs_by_duration_of_project
        ON backup_jobs (project_id, ((extract(epoch FROM finished_at - started_at) * 1000)::bigint), id)
        WHERE (extract(epoch FROM finished_at - started_at) * 1000)::bigint IS NOT NULL;
      CREATE INDEX backup_jobs_by_size ON backup_jobs (stored_size_bytes, id) WHERE stored_size_bytes IS NOT NULL;
      CREATE INDEX backup_jobs_by_size_of_project ON backup_jobs (project_id, stored_size_bytes, id)
        WHERE stored_size_bytes IS NOT NULL;

      -- How well a service is protected.
      CREATE INDEX backup_jobs_stored_of_service ON backup_jobs (service_id, started_at DESC, id DESC)
        WHERE availability = 'STORED';
      CREATE INDEX backup_jobs_stored_of_plan ON backup_jobs (plan_id, started_at DESC)
        WHERE availability = 'STORED';
      CREATE INDEX backup_jobs_durations_of_plan ON backup_jobs (plan_id, started_at DESC) INCLUDE (finished_at)
        WHERE status = 'SUCCEEDED';
      CREATE INDEX backup_jobs_outcomes_of_destination
        ON backup_jobs (plan_id, file_endpoint_id, queued_at DESC) INCLUDE (status)
        WHERE status IN ('SUCCEEDED', 'FAILED');

      CREATE TABLE late_services (
        service_id uuid PRIMARY KEY,
        project_id uuid NOT NULL,
        data_as_of timestamptz NOT NULL,
        due_by     timestamptz NOT NULL,
        since      timestamptz NOT NULL
      );
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP TABLE late_services;
      DROP INDEX backup_jobs_outcomes_of_destination, backup_jobs_durations_of_plan, backup_jobs_stored_of_plan,
        backup_jobs_stored_of_service, backup_jobs_by_size_of_project, backup_jobs_by_size,
        backup_jobs_by_duration_of_project, backup_jobs_by_duration, backup_jobs_by_start_of_project,
        backup_jobs_by_start, backup_jobs_of_trigger, backup_jobs_of_error, backup_jobs_not_succeeded,
        backup_jobs_totals, backup_jobs_of_endpoint, backup_jobs_of_plan, backup_jobs_of_service, backup_jobs_of_project,
        backup_jobs_newest;
      CREATE INDEX backup_jobs_of_project ON backup_jobs (project_id, queued_at DESC, id DESC);
      CREATE INDEX backup_jobs_of_service ON backup_jobs (service_id, queued_at DESC, id DESC);
      CREATE INDEX backup_jobs_of_plan ON backup_jobs (plan_id, queued_at DESC, id DESC);
      CREATE INDEX backup_jobs_newest ON backup_jobs (queued_at DESC, id DESC);
    `);
  }
}
