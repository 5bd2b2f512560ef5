import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Tables of the sweeper: the result of the last audit of each file endpoint, and the marks that show whether a copy of this
 * database uses the same prefixes. They do not come from events: an audit can be repeated, and the marks are compared with the
 * container.
 */
export class Sweeper1700000000109 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE INDEX backup_jobs_to_delete ON backup_jobs (file_endpoint_id, id)
        WHERE availability = 'DELETING' OR attempts_with_remains <> '[]';
      DROP INDEX backup_jobs_with_remains;
      -- Object storages list names in the order of their bytes.
      CREATE INDEX backup_jobs_in_name_order ON backup_jobs (file_endpoint_id, folder COLLATE "C")
        WHERE availability IN ('STORED', 'MISSING');

      CREATE TABLE container_audits (
        file_endpoint_id uuid PRIMARY KEY,
        due_at           timestamptz NOT NULL,
        failures         integer NOT NULL DEFAULT 0, -- in a row
        result           jsonb, -- of the last one that came to an end
        problem          jsonb  -- why the last one did not, or deleted nothing: { code, message, help }
      );

      -- Where the database lived when it was last said that it is the installation's own, and not a copy of it.
      CREATE TABLE installation_home (
        only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        place      text NOT NULL,
        adopted_at timestamptz NOT NULL DEFAULT '-infinity' -- marks that were written before are replaced, whosesoever
      );
      -- The servers that the database was reached at, and since when.
      CREATE TABLE installation_servers (
        server text PRIMARY KEY,
        since  timestamptz NOT NULL
      );
      -- What this database has written into the markers of prefixes: a copy of it does not learn of later marks.
      CREATE TABLE prefix_marks (
        file_endpoint_id uuid NOT NULL,
        prefix           text NOT NULL,
        previous_mark    uuid, -- may still be read where a container answers with what was there before
        mark             uuid, -- stands there
        next_mark        uuid, -- may stand there already
        renewed_at       timestamptz,
        PRIMARY KEY (file_endpoint_id, prefix)
      );
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP TABLE prefix_marks, installation_servers, installation_home, container_audits;
      CREATE INDEX backup_jobs_with_remains ON backup_jobs (id) WHERE attempts_with_remains <> '[]';
      DROP INDEX backup_jobs_in_name_order, backup_jobs_to_delete;
    `);
  }
}
