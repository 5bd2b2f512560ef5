import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Encrypted credentials: each secret is encrypted with its own data key, and the data key with a master key. */
export class Vault1700000000004 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE vault_credentials (
        credential_id text NOT NULL,
        version       integer NOT NULL CHECK (version > 0),
        project_id    text NOT NULL,
        master_key_id text NOT NULL, -- a fingerprint, to find the key that wrapped the data key
        wrapped_key   bytea NOT NULL,
        sealed_secret bytea NOT NULL,
        created_at    timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (credential_id, version)
      );
    `);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE vault_credentials');
  }
}
