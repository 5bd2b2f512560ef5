import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Jobs get a priority, and a claim chooses the project first and then its most urgent job. So the index of a project's
 * waiting jobs follows the priority. Its jobs that wait get the priority of their kind and trigger.
 */
export class PrioritiesOfJobs1700000000330 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      -- 0: a restore, 1: a backup that a person started, 2: the others
      ALTER TABLE job_queue ADD priority smallint NOT NULL DEFAULT 2;
      UPDATE job_queue SET priority = 0 WHERE kind = 'RESTORE';
      UPDATE job_queue SET priority = 1 FROM backup_jobs job
        WHERE job.id::text = job_queue.job_id AND coalesce(job.stands_for, job.trigger) IN ('MANUAL', 'SAFETY');
      DROP INDEX job_queue_waiting_of_project;
      CREATE INDEX job_queue_waiting_of_project ON job_queue (project_id, priority, due_at, queued_at, job_id)
        WHERE worker_id IS NULL;
      CREATE INDEX job_queue_urgent_of_project ON job_queue (project_id, kind, engine, ripe_at) INCLUDE (service_id)
        WHERE worker_id IS NULL AND priority < 2;
      -- whether the last slot of the project was given to an urgent job before the turn of others
      ALTER TABLE job_queue_projects ADD went_ahead boolean NOT NULL DEFAULT false;
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE job_queue_projects DROP went_ahead;
      DROP INDEX job_queue_urgent_of_project, job_queue_waiting_of_project;
      CREATE INDEX job_queue_waiting_of_project ON job_queue (project_id, kind, due_at, queued_at, job_id)
        WHERE worker_id IS NULL;
      ALTER TABLE job_queue DROP priority;
    `);
  }
}
