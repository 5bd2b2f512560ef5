import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Holds, verification and absence of stored backups, and the remaining folders of attempts without a backup. */
export class StoredBackups1700000000108 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE backup_jobs
        ADD COLUMN absent_since          timestamptz,
        ADD COLUMN hold                  jsonb,
        ADD COLUMN verified              jsonb,
        ADD COLUMN attempts_with_remains jsonb NOT NULL DEFAULT '[]';
      ALTER TABLE backup_jobs ALTER COLUMN attempts_with_remains DROP DEFAULT;
      UPDATE backup_jobs SET attempts_with_remains = ended.numbers
        FROM (
          SELECT job.id, jsonb_agg(tried.attempt -> 'number' ORDER BY tried.attempt -> 'number') AS numbers
          FROM backup_jobs job, jsonb_array_elements(job.attempts) AS tried (attempt)
          WHERE tried.attempt ->> 'outcome' <> 'SUCCEEDED'
          GROUP BY job.id
        ) ended
        WHERE ended.id = backup_jobs.id;
      CREATE INDEX backup_jobs_with_remains ON backup_jobs (id) WHERE attempts_with_remains <> '[]';
      DROP INDEX backup_jobs_listed;
      CREATE INDEX backup_jobs_listed ON backup_jobs (file_endpoint_id)
        WHERE availability IN ('STORED', 'DELETING', 'MISSING');
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP INDEX backup_jobs_listed, backup_jobs_with_remains;
      CREATE INDEX backup_jobs_listed ON backup_jobs (file_endpoint_id) WHERE availability IN ('STORED', 'DELETING');
      ALTER TABLE backup_jobs
        DROP COLUMN absent_since, DROP COLUMN hold, DROP COLUMN verified, DROP COLUMN attempts_with_remains
    `);
  }
}
