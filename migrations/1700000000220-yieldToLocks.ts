import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A plan says whether its backups give way to others that wait for their locks. Those that are there do. */
export class YieldToLocks1700000000220 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE backup_plans ADD yield_to_locks boolean NOT NULL DEFAULT true');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE backup_plans DROP yield_to_locks');
  }
}
