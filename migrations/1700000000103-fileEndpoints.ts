import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The read model of file endpoints. */
export class FileEndpoints1700000000103 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE file_endpoints (
        id         uuid PRIMARY KEY,
        project_id uuid NOT NULL,
        name       text NOT NULL,
        settings   jsonb NOT NULL,
        prefix     text NOT NULL,
        credential jsonb,
        last_check jsonb,
        created_at timestamptz NOT NULL,
        removed_at timestamptz,
        version    integer NOT NULL
      );
      CREATE INDEX file_endpoints_of_project ON file_endpoints (project_id, created_at DESC, id DESC);
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE file_endpoints');
  }
}
