import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A backup shows what changed since the previous one, and a plan may limit how many rows may be gone. */
export class BackupChanges1700000000360 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE backup_jobs ADD changes jsonb, ADD fall text');
    await queryRunner.query('ALTER TABLE backup_plans ADD drift_threshold jsonb');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE backup_plans DROP drift_threshold');
    await queryRunner.query('ALTER TABLE backup_jobs DROP changes, DROP fall');
  }
}
