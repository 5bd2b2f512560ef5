import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Existing plans continue with the level that was the only one. */
export class Compression1700000000378 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query("ALTER TABLE backup_plans ADD compression text NOT NULL DEFAULT 'BALANCED'");
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE backup_plans DROP compression');
  }
}
