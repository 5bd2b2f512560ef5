import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * `default` of STOWAGE_ALLOWED_TARGETS no longer contains private networks. An installation that has events was created
 * earlier, and may have services there. It keeps them until its operator decides.
 */
export class PrivateNetworks1700000000320 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE installation ADD COLUMN default_has_private boolean NOT NULL DEFAULT false');
    await queryRunner.query('UPDATE installation SET default_has_private = EXISTS (SELECT FROM events)');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE installation DROP COLUMN default_has_private');
  }
}
