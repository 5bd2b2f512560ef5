import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Indexes from which a claim sees that there is nothing to do, even if many jobs wait for their time, for their
 * service, or for a worker with the tools of their engine.
 */
export class Claims1700000000009 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      -- From when on a job may be claimed: since ever where it waits for its first attempt, for it was due when it was
      -- queued, whatever the clock shows later.
      ALTER TABLE job_queue ADD ripe_at timestamptz NOT NULL
        GENERATED ALWAYS AS (CASE WHEN due_at = queued_at THEN '-infinity' ELSE due_at END) STORED;
      CREATE INDEX job_queue_ripe ON job_queue (kind, engine, ripe_at) WHERE worker_id IS NULL;
      CREATE INDEX job_queue_waiting_of_service ON job_queue (kind, service_id, engine, ripe_at) WHERE worker_id IS NULL;
      CREATE INDEX job_queue_ripe_of_project ON job_queue (project_id, kind, engine, ripe_at) INCLUDE (service_id)
        WHERE worker_id IS NULL;
      DROP INDEX job_queue_waiting_of_project;
      CREATE INDEX job_queue_waiting_of_project ON job_queue (project_id, kind, due_at, queued_at, job_id)
        WHERE worker_id IS NULL;
      CREATE INDEX job_queue_busy_slots ON job_queue_slots (job_id) INCLUDE (service_id) WHERE job_id IS NOT NULL;
      CREATE INDEX job_queue_projects_by_turn ON job_queue_projects (last_turn);
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP INDEX job_queue_projects_by_turn, job_queue_busy_slots, job_queue_waiting_of_project,
        job_queue_ripe_of_project, job_queue_waiting_of_service, job_queue_ripe;
      CREATE INDEX job_queue_waiting_of_project ON job_queue (project_id, kind, due_at) WHERE worker_id IS NULL;
      ALTER TABLE job_queue DROP ripe_at;
    `);
  }
}
