import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Indexes for queries of clients by other keys than the primary ones of the log and the views. */
export class Lookups1700000000107 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE UNIQUE INDEX events_of_id ON events (event_id);
      CREATE INDEX backup_jobs_succeeded_of_service ON backup_jobs (service_id, started_at DESC, id DESC)
        WHERE status = 'SUCCEEDED';
      CREATE INDEX backup_jobs_succeeded_of_plan ON backup_jobs (plan_id, file_endpoint_id, started_at DESC, id DESC)
        WHERE status = 'SUCCEEDED';
      CREATE INDEX backup_jobs_of_plan ON backup_jobs (plan_id, queued_at DESC, id DESC);
      CREATE INDEX backup_jobs_of_batch ON backup_jobs (batch_id);
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP INDEX backup_jobs_of_batch, backup_jobs_of_plan, backup_jobs_succeeded_of_plan,
        backup_jobs_succeeded_of_service, events_of_id
    `);
  }
}
