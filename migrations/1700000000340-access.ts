import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The read models of members and access tokens, and the hashes of the tokens. */
export class Access1700000000340 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE memberships (
        id         uuid PRIMARY KEY,
        project_id uuid NOT NULL,
        service_id uuid,
        issuer     text NOT NULL,
        sub        text NOT NULL,
        name       text,
        role       text NOT NULL,
        created_at timestamptz NOT NULL
      );
      CREATE INDEX memberships_of_subject ON memberships (issuer, sub);
      CREATE INDEX memberships_of_project ON memberships (project_id, created_at DESC, id DESC);

      CREATE TABLE access_tokens (
        id         uuid PRIMARY KEY,
        project_id uuid NOT NULL,
        service_id uuid,
        name       text NOT NULL,
        role       text NOT NULL,
        created_at timestamptz NOT NULL,
        expires_at timestamptz,
        revoked_at timestamptz,
        version    integer NOT NULL
      );
      CREATE INDEX access_tokens_of_project ON access_tokens (project_id, created_at DESC, id DESC);

      -- Not read models: no event holds a hash, and when a token was last used is an observation.
      CREATE TABLE access_token_hashes (
        hash     bytea PRIMARY KEY,
        token_id uuid NOT NULL
      );
      CREATE INDEX access_token_hashes_of_token ON access_token_hashes (token_id);
      CREATE TABLE access_token_uses (
        token_id     uuid PRIMARY KEY,
        last_used_at timestamptz NOT NULL
      );
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      'DROP TABLE access_token_uses; DROP TABLE access_token_hashes; DROP TABLE access_tokens; DROP TABLE memberships',
    );
  }
}
