import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The results of clients' commands, so that the same commandId returns the same result. Contains no secret. */
export class Commands1700000000002 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE commands (
        project_scope text NOT NULL, -- '' for commands outside any project
        subject       text NOT NULL,
        command_id    text NOT NULL,
        input_hash    bytea NOT NULL,
        result        jsonb, -- null only inside the transaction that runs the command
        created_at    timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (project_scope, subject, command_id)
      );
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE commands');
  }
}
