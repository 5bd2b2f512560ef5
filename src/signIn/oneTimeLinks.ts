import { createHash, randomBytes } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { Secret } from '../secret.js';

export const linkLifetimeMs = 10 * 60_000;

/** Codes that open one session each. Only their hashes are stored. */
export interface OneTimeLinks {
  /** A new code. It is valid once, for ten minutes. */
  create(): Promise<{ readonly code: Secret; readonly expiresAt: Date }>;
  /** Uses a code up. False: it is unknown, was used before, or is too old. */
  use(code: string): Promise<boolean>;
}

export function createOneTimeLinks(dataSource: DataSource): OneTimeLinks {
  return {
    async create() {
      const code = randomBytes(32).toString('base64url');
      const [{ expiresAt }] = await dataSource.query<[{ readonly expiresAt: Date }]>(
        `WITH outdated AS (DELETE FROM sign_in_links WHERE expires_at <= clock_timestamp()), created AS (
           INSERT INTO sign_in_links (code_hash, expires_at)
           VALUES ($1, clock_timestamp() + $2 * interval '1 millisecond') RETURNING expires_at
         )
         SELECT expires_at AS "expiresAt" FROM created`,
        [hashOf(code), linkLifetimeMs],
      );
      return { code: new Secret(code), expiresAt };
    },

    async use(code) {
      // One statement, so that of two simultaneous uses only one succeeds.
      const rows = await dataSource.query<{ readonly valid: boolean }[]>(
        `WITH used AS (DELETE FROM sign_in_links WHERE code_hash = $1 RETURNING expires_at)
         SELECT expires_at > clock_timestamp() AS valid FROM used`,
        [hashOf(code)],
      );
      return rows[0]?.valid === true;
    },
  };
}

function hashOf(code: string): Buffer {
  return createHash('sha256').update(code).digest();
}
