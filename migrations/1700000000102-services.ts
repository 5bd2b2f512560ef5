import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The read model of services. */
export class Services1700000000102 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE services (
        id                          uuid PRIMARY KEY,
        project_id                  uuid NOT NULL,
        engine                      text NOT NULL,
        instance_id                 text NOT NULL UNIQUE,
        name                        text NOT NULL,
        host                        text NOT NULL,
        port                        integer NOT NULL,
        username                    text,
        credential                  jsonb,
        databases                   jsonb,
        tls                         jsonb NOT NULL,
        auth_source                 text,
        recovery_point_objective_ms double precision,
        last_check                  jsonb,
        created_at                  timestamptz NOT NULL,
        removed_at                  timestamptz,
        version                     integer NOT NULL
      );
      CREATE INDEX services_of_project ON services (project_id, created_at DESC, id DESC);
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE services');
  }
}
