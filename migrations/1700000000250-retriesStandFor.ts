import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A retry records the trigger of the job at the beginning of its chain. Events of older retries do not record it. This
 * migration computes it from the chain, like a rebuild of the read model, which uses the row of the retried job.
 */
export class RetriesStandFor1700000000250 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE backup_jobs ADD COLUMN stands_for text');
    await queryRunner.query(`
      WITH RECURSIVE origin (id, trigger, retry_of) AS (
        SELECT id, trigger, retry_of FROM backup_jobs WHERE trigger = 'RETRY'
        UNION
        SELECT origin.id, source.trigger, source.retry_of
        FROM origin JOIN backup_jobs source ON source.id = origin.retry_of WHERE origin.trigger = 'RETRY'
      )
      UPDATE backup_jobs job SET stands_for = origin.trigger
      FROM origin WHERE origin.id = job.id AND origin.trigger <> 'RETRY'
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE backup_jobs DROP COLUMN stands_for');
  }
}
