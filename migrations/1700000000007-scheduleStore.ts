import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The schema in which Agenda's PostgreSQL backend creates its table, if it is the schedule store. The role of the program may
 * create nothing in other schemas.
 */
export class ScheduleStore1700000000007 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE SCHEMA IF NOT EXISTS alarms');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP SCHEMA alarms CASCADE');
  }
}
