import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The audit also has refused operations and reads of what is sensitive, and the ADMINs of a project read its part. The table
 * keeps its name, so that replicas of the version before can write to it during an upgrade.
 */
export class AuditEvents1700000000380 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE audit_entries
        ADD COLUMN actor_kind     text,
        ADD COLUMN project_id     uuid, -- null: only the installation sees the event
        ADD COLUMN operation      text,
        ADD COLUMN target         uuid, -- the object that was read
        ADD COLUMN correlation_id uuid;
      CREATE INDEX audit_entries_of_project ON audit_entries (project_id, id DESC) WHERE project_id IS NOT NULL;
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      DROP INDEX audit_entries_of_project;
      ALTER TABLE audit_entries
        DROP COLUMN actor_kind, DROP COLUMN project_id, DROP COLUMN operation, DROP COLUMN target, DROP COLUMN correlation_id;
    `);
  }
}
