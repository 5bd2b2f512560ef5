import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The audit of sign-ins. It is no event log: rows are deleted when they are older than the setting says. */
export class Audit1700000000375 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE audit_entries (
        id             uuid PRIMARY KEY, -- ordered by time (UUIDv7)
        at             timestamptz NOT NULL DEFAULT clock_timestamp(),
        what           text NOT NULL,
        actor          text, -- null: nobody has signed in
        name           text, -- as it was then
        client_address text,
        detail         text, -- a sentence without secrets
        attempts       integer NOT NULL DEFAULT 1
      );
      CREATE INDEX audit_entries_by_time ON audit_entries (at);
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE audit_entries');
  }
}
