import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The sessions of browsers, and the one-time links that open a session. Only hashes of cookies and codes are stored, so
 * a copy of the tables opens no session.
 */
export class SignIn1700000000350 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE sign_in_sessions (
        id               uuid PRIMARY KEY,
        secret_hash      bytea NOT NULL UNIQUE, -- SHA-256 of the value of the cookie
        issuer           text, -- null: the administrator of the installation
        subject          text NOT NULL,
        name             text,
        grants           jsonb NOT NULL, -- what the claims of the provider allow
        provider_session text, -- the claim sid, which a logout of the provider names
        sealed_tokens    bytea, -- the tokens of the provider, encrypted
        renew_at         timestamptz, -- the provider's token is renewed from then on
        client_address   text,
        user_agent       text,
        created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
        last_used_at     timestamptz NOT NULL DEFAULT clock_timestamp(), -- within a minute
        expires_at       timestamptz NOT NULL
      );
      CREATE INDEX sign_in_sessions_of_subject ON sign_in_sessions (issuer, subject, created_at DESC);
      CREATE INDEX sign_in_sessions_of_provider ON sign_in_sessions (issuer, provider_session)
        WHERE provider_session IS NOT NULL;
      CREATE INDEX sign_in_sessions_by_expiry ON sign_in_sessions (expires_at);
      CREATE INDEX sign_in_sessions_by_use ON sign_in_sessions (last_used_at);

      CREATE TABLE sign_in_links (
        code_hash  bytea PRIMARY KEY,
        expires_at timestamptz NOT NULL
      );
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE sign_in_links, sign_in_sessions');
  }
}
