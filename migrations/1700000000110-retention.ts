import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Indexes for the sweep of retention. */
export class Retention1700000000110 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE INDEX backup_jobs_stored_of_destination ON backup_jobs (plan_id, file_endpoint_id, started_at)
        INCLUDE (id, trigger, version) WHERE availability = 'STORED' AND plan_id IS NOT NULL
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP INDEX backup_jobs_stored_of_destination');
  }
}
