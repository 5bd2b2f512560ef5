import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The log of events and the one function that appends to it.
 *
 * The function takes a transaction-level advisory lock before it draws positions, so the order of positions is the
 * order of commits and a reader of `position > last` never skips an event. All events of all streams go in one
 * statement, so the lock is held for one round trip and the commit.
 */
export class EventLog1700000000001 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE events (
        position       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        event_id       uuid NOT NULL,
        stream_id      text NOT NULL,
        stream_type    text NOT NULL,
        version        integer NOT NULL CHECK (version > 0),
        type           text NOT NULL,
        schema_version integer NOT NULL CHECK (schema_version > 0),
        data           jsonb NOT NULL,
        metadata       jsonb NOT NULL,
        project_id     text NOT NULL,
        recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
        CONSTRAINT events_stream_version UNIQUE (stream_id, version)
      );
      CREATE INDEX events_of_project ON events (project_id, position);

      -- Works on the search path of its maker: whoever calls it cannot lead it to other tables.
      CREATE FUNCTION append_events(writer_schema bigint, new_events json) RETURNS bigint
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
      AS $$
      DECLARE
        newest_schema bigint;
        newest_position bigint;
      BEGIN
        PERFORM pg_advisory_xact_lock(5711029, 1);
        SELECT max("timestamp") INTO newest_schema FROM schema_migrations;
        IF newest_schema > writer_schema THEN
          RAISE EXCEPTION 'the writer knows schema %, the database has %', writer_schema, newest_schema
            USING ERRCODE = 'SW001';
        END IF;
        WITH appended AS (
          INSERT INTO events (event_id, stream_id, stream_type, version, type, schema_version, data, metadata, project_id)
          SELECT event_id, stream_id, stream_type, version, type, schema_version, data, metadata, project_id
          FROM ROWS FROM (json_to_recordset(new_events) AS (
            event_id uuid, stream_id text, stream_type text, version integer, type text, schema_version integer,
            data jsonb, metadata jsonb, project_id text
          )) WITH ORDINALITY
          ORDER BY ordinality
          RETURNING position
        )
        SELECT max(position) INTO newest_position FROM appended;
        PERFORM pg_notify('stowage_events', newest_position::text);
        RETURN newest_position;
      END
      $$;
      REVOKE ALL ON FUNCTION append_events(bigint, json) FROM PUBLIC;

      -- Where one role owns and writes there are no grants to hold it back; this at least refuses mistakes.
      CREATE FUNCTION refuse_change_of_events() RETURNS trigger LANGUAGE plpgsql
      AS $$
      BEGIN
        RAISE EXCEPTION 'Events are never changed: % on the log was refused', TG_OP USING ERRCODE = 'SW002';
      END
      $$;
      CREATE TRIGGER events_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON events
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_events();

      CREATE TABLE installation (
        only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        id         uuid NOT NULL DEFAULT gen_random_uuid(),
        created_at timestamptz NOT NULL DEFAULT now()
      );
      INSERT INTO installation DEFAULT VALUES;
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP TABLE installation;
      DROP FUNCTION append_events(bigint, json);
      DROP TABLE events;
      DROP FUNCTION refuse_change_of_events();
    `);
  }
}
