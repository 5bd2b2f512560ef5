import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A running worker of an older version cannot start a job, because its append is refused. The first version handled
 * that as a failure of the job and postponed it, and a job that was postponed three times fails. So postponing also
 * requires the schema version of the writer. A writer that passes no version is older.
 */
export class OutdatedWorkers1700000000200 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE FUNCTION refuse_outdated_worker() RETURNS trigger LANGUAGE plpgsql
      AS $$
      DECLARE
        newest_schema bigint;
        writer_schema bigint := coalesce(nullif(current_setting('stowage.writer_schema', true), ''), '0');
      BEGIN
        SELECT max("timestamp") INTO newest_schema FROM public.schema_migrations;
        IF newest_schema > writer_schema THEN
          RAISE EXCEPTION 'the writer knows schema %, the database has %', writer_schema, newest_schema
            USING ERRCODE = 'SW001';
        END IF;
        RETURN NEW;
      END
      $$;
      CREATE TRIGGER outdated_workers_put_nothing_off BEFORE UPDATE OF put_off ON job_queue
        FOR EACH ROW WHEN (NEW.put_off > OLD.put_off) EXECUTE FUNCTION refuse_outdated_worker();
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP TRIGGER outdated_workers_put_nothing_off ON job_queue;
      DROP FUNCTION refuse_outdated_worker();
    `);
  }
}
