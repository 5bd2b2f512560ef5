import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Existing plans continue without users and grants. */
export class IncludeUsers1700000000361 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query("ALTER TABLE backup_plans ADD include_users text NOT NULL DEFAULT 'NONE'");
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE backup_plans DROP include_users');
  }
}
