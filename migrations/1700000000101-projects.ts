import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The read model of projects. */
export class Projects1700000000101 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE projects (
        id         uuid PRIMARY KEY,
        name       text NOT NULL,
        created_at timestamptz NOT NULL,
        version    integer NOT NULL
      );
      CREATE INDEX projects_newest ON projects (created_at DESC, id DESC);
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE projects');
  }
}
