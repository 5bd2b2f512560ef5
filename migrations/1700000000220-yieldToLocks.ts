import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The option of a plan whether its backups end when other sessions wait for their locks. For existing plans they do.
 */
export class YieldToLocks1700000000220 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE backup_plans ADD yield_to_locks boolean NOT NULL DEFAULT true');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE backup_plans DROP yield_to_locks');
  }
}
