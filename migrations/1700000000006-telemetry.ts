import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The latest progress of each running job. Unlogged: a crash of PostgreSQL empties it, and it fills again within a second. */
export class Telemetry1700000000006 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE UNLOGGED TABLE job_progress (
        job_id   text PRIMARY KEY,
        progress jsonb NOT NULL
      );
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE job_progress');
  }
}
