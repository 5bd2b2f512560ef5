import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The schema in which Agenda's PostgreSQL backend makes its own tables, where that is the schedule store. Only there may
 * the program's role create tables; a connection finds it by `options=-c search_path=agenda`.
 */
export class ScheduleStore1700000000007 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE SCHEMA agenda');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP SCHEMA agenda CASCADE');
  }
}
