import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The read model of backup plans. */
export class BackupPlans1700000000104 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE backup_plans (
        id                 uuid PRIMARY KEY,
        project_id         uuid NOT NULL,
        service_id         uuid NOT NULL,
        name               text NOT NULL,
        file_endpoint_ids  jsonb NOT NULL,
        typed              text NOT NULL,
        normalized         text NOT NULL,
        time_zone          text NOT NULL,
        retention          jsonb NOT NULL,
        max_attempts       integer NOT NULL,
        catch_up_window_ms double precision,
        timeout_ms         double precision,
        stall_timeout_ms   double precision NOT NULL,
        paused             boolean NOT NULL,
        schedule_version   integer NOT NULL,
        scheduled_since    timestamptz NOT NULL,
        accounted_until    jsonb NOT NULL,
        created_at         timestamptz NOT NULL,
        removed_at         timestamptz,
        version            integer NOT NULL
      );
      CREATE INDEX backup_plans_of_project ON backup_plans (project_id, created_at DESC, id DESC);
      CREATE INDEX backup_plans_of_service ON backup_plans (service_id, created_at DESC, id DESC);
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE backup_plans');
  }
}
