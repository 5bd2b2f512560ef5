import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Rules across streams as unique and foreign keys: reserved names, existing entities, and their users. */
export class Reservations1700000000003 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE reserved_names (
        kind     text NOT NULL,
        scope    text NOT NULL,
        name     text NOT NULL,
        owner_id text NOT NULL,
        PRIMARY KEY (kind, scope, name)
      );
      CREATE INDEX reserved_names_of_owner ON reserved_names (owner_id, kind);

      CREATE TABLE entities (
        id         text PRIMARY KEY,
        kind       text NOT NULL,
        project_id text NOT NULL
      );

      CREATE TABLE entity_uses (
        entity_id text NOT NULL,
        user_id   text NOT NULL,
        PRIMARY KEY (entity_id, user_id),
        CONSTRAINT entity_uses_entity FOREIGN KEY (entity_id) REFERENCES entities (id)
      );
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE entity_uses; DROP TABLE entities; DROP TABLE reserved_names');
  }
}
