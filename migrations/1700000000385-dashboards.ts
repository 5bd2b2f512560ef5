import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which people have authorised which dashboards, and the services whose rights a session gets from the platform. */
export class Dashboards1700000000385 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE dashboard_accesses (
        id            uuid PRIMARY KEY, -- derived from the person and the service
        project_id    uuid NOT NULL,
        service_id    uuid NOT NULL,
        issuer        text NOT NULL,
        sub           text NOT NULL,
        authorised_at timestamptz NOT NULL
      );
      ALTER TABLE sign_in_sessions ADD COLUMN opened_services uuid[] NOT NULL DEFAULT '{}';
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE sign_in_sessions DROP COLUMN opened_services; DROP TABLE dashboard_accesses');
  }
}
