import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The schema in which Agenda's PostgreSQL backend makes its own table, where that is the schedule store. Nowhere else may
 * the program's role create anything.
 */
export class ScheduleStore1700000000007 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE SCHEMA IF NOT EXISTS alarms');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP SCHEMA alarms CASCADE');
  }
}
