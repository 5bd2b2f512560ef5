import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A plan may describe why it exists. */
export class PlanDescription1700000000300 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE backup_plans ADD description text');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE backup_plans DROP description');
  }
}
