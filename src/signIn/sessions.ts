import { createHash, randomBytes } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { Secret } from '../secret.js';

/** Who has signed in. Without an issuer it is the administrator of the installation. */
export type SessionOwner = {
  readonly issuer: string | null;
  /** The claim `sub` of the issuer. */
  readonly subject: string;
};

export type NewSession = SessionOwner & {
  readonly name: string | null;
  readonly clientAddress: string | null;
  readonly userAgent: string | null;
};

export type Session = NewSession & {
  readonly id: string;
  readonly createdAt: Date;
  /** Exact to a minute. */
  readonly lastUsedAt: Date;
  readonly expiresAt: Date;
};

export type SessionLimits = {
  /** A session ends when it was not used for this time. */
  readonly idleMs: number;
  /** A session ends at this age, however often it is used. */
  readonly lifetimeMs: number;
};

/** The sessions of browsers in PostgreSQL, by the clock of its server. All processes of an installation share them. */
export interface Sessions {
  /** Opens a session. The secret is the value of the cookie. Only its hash is stored. */
  open(session: NewSession): Promise<{ readonly id: string; readonly secret: Secret }>;
  /** The session of a cookie, which counts as used now. Undefined: there is no such session, or it has ended. */
  find(secret: string): Promise<Session | undefined>;
  /** Whether the session still lasts. Does not count as a use. */
  lasts(id: string): Promise<boolean>;
  /** Ends a session. False: it had ended before. */
  end(id: string): Promise<boolean>;
  /** The sessions of this owner that have not ended, the newest first; at most 100. */
  ofOwner(owner: SessionOwner): Promise<readonly Session[]>;
  /** Deletes the rows of ended sessions, and returns their number. */
  sweep(): Promise<number>;
}

/** How many rows one statement of a sweep deletes, so that no statement takes long. */
const sweptAtOnce = 10_000;

const columns = `id, issuer, subject, name, client_address AS "clientAddress", user_agent AS "userAgent",
  created_at AS "createdAt", last_used_at AS "lastUsedAt", expires_at AS "expiresAt"`;

export function createSessions(dataSource: DataSource, { idleMs, lifetimeMs }: SessionLimits): Sessions {
  return {
    async open({ issuer, subject, name, clientAddress, userAgent }) {
      const [id, secret] = [uuidv7(), randomBytes(32).toString('base64url')];
      await dataSource.query(
        `INSERT INTO sign_in_sessions (id, secret_hash, issuer, subject, name, grants, client_address, user_agent, expires_at)
         VALUES ($1, $2, $3, $4, $5, '[]', $6, $7, clock_timestamp() + $8 * interval '1 millisecond')`,
        [id, hashOf(secret), issuer, subject, name, clientAddress, userAgent?.slice(0, 200) ?? null, lifetimeMs],
      );
      return { id, secret: new Secret(secret) };
    },

    async find(secret) {
      const [row] = await dataSource.query<(Session & { readonly isUnmarked: boolean })[]>(
        `SELECT ${columns}, last_used_at < clock_timestamp() - interval '1 minute' AS "isUnmarked"
         FROM sign_in_sessions
         WHERE secret_hash = $1 AND expires_at > clock_timestamp()
           AND last_used_at > clock_timestamp() - $2 * interval '1 millisecond'`,
        [hashOf(secret), idleMs],
      );
      if (row === undefined) return undefined;
      const { isUnmarked, ...session } = row;
      if (isUnmarked) {
        await dataSource.query('UPDATE sign_in_sessions SET last_used_at = clock_timestamp() WHERE id = $1', [row.id]);
      }
      return session;
    },

    async lasts(id) {
      const rows = await dataSource.query<{ readonly id: string }[]>(
        `SELECT id FROM sign_in_sessions WHERE id = $1 AND expires_at > clock_timestamp()
           AND last_used_at > clock_timestamp() - $2 * interval '1 millisecond'`,
        [id, idleMs],
      );
      return rows.length > 0;
    },

    async end(id) {
      const rows = await dataSource.query<{ readonly id: string }[]>(
        'WITH ended AS (DELETE FROM sign_in_sessions WHERE id = $1 RETURNING id) SELECT id FROM ended',
        [id],
      );
      return rows.length > 0;
    },

    async ofOwner({ issuer, subject }) {
      return dataSource.query<Session[]>(
        `SELECT ${columns} FROM sign_in_sessions
         WHERE issuer IS NOT DISTINCT FROM $1 AND subject = $2 AND expires_at > clock_timestamp()
           AND last_used_at > clock_timestamp() - $3 * interval '1 millisecond'
         ORDER BY created_at DESC LIMIT 100`,
        [issuer, subject, idleMs],
      );
    },

    async sweep() {
      for (let swept = 0; ;) {
        const [{ count }] = await dataSource.query<[{ readonly count: number }]>(
          `WITH ended AS (
             SELECT id FROM sign_in_sessions WHERE expires_at <= clock_timestamp()
               OR last_used_at <= clock_timestamp() - $1 * interval '1 millisecond' LIMIT ${sweptAtOnce}
           ), deleted AS (DELETE FROM sign_in_sessions USING ended WHERE sign_in_sessions.id = ended.id RETURNING 1)
           SELECT count(*)::integer AS count FROM deleted`,
          [idleMs],
        );
        swept += count;
        if (count < sweptAtOnce) return swept;
      }
    },
  };
}

function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
