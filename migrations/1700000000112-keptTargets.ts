import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The target of a cancelled restore stays locked until our sessions there have ended. Its slot is held without a job in the
 * queue, and the message of the restore states this.
 */
export class KeptTargets1700000000112 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      -- Set: the job of this slot is over, and the slot is held until it is let go, at the latest soon after this time.
      ALTER TABLE job_queue_slots ADD kept_until timestamptz;
      CREATE INDEX job_queue_kept_slots ON job_queue_slots (kept_until) WHERE kept_until IS NOT NULL;
      ALTER TABLE restore_jobs ADD target_locked boolean NOT NULL DEFAULT false;
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE restore_jobs DROP target_locked;
      UPDATE job_queue_slots SET job_id = NULL WHERE kept_until IS NOT NULL;
      DROP INDEX job_queue_kept_slots;
      ALTER TABLE job_queue_slots DROP kept_until;
    `);
  }
}
