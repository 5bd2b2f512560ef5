import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Removes the list of kinds of jobs from the database, so that a new kind needs no change of the queue. Only the
 * program lists the kinds.
 */
export class KindsOfJobs1700000000310 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE job_queue DROP CONSTRAINT job_queue_kind_check');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      "ALTER TABLE job_queue ADD CONSTRAINT job_queue_kind_check CHECK (kind IN ('BACKUP', 'RESTORE'))",
    );
  }
}
