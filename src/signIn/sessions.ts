import { createHash, randomBytes } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { Secret } from '../secret.js';
import type { ClaimGrant } from './claimRules.js';

/** Who has signed in. Without an issuer it is the administrator of the installation. */
export type SessionOwner = {
  readonly issuer: string | null;
  /** The claim `sub` of the issuer. */
  readonly subject: string;
};

/** What the provider of a person has given. */
export type FromProvider = {
  /** The roles that the claims give. */
  readonly grants: readonly ClaimGrant[];
  /** The encrypted tokens of the provider. */
  readonly sealedTokens: string;
  /** The time until the tokens have to be renewed. Null: they are never renewed. */
  readonly renewInMs: number | null;
};

export type NewSession = SessionOwner & {
  readonly name: string | null;
  readonly clientAddress: string | null;
  readonly userAgent: string | null;
};

export type NewPerson = FromProvider & {
  /** The claim `sid`, which names the session at the provider. */
  readonly providerSession: string | null;
};

export type Session = NewSession & {
  readonly id: string;
  readonly createdAt: Date;
  /** Exact to a minute. */
  readonly lastUsedAt: Date;
  readonly expiresAt: Date;
  readonly grants: readonly ClaimGrant[];
  /** The tokens of the provider have to be renewed now. */
  readonly isToRenew: boolean;
  /** The ids of the services whose dashboards were opened with rights of the platform, the newest first. */
  readonly openedServices: readonly string[];
};

export type SessionLimits = {
  /** A session ends when it was not used for this time. */
  readonly idleMs: number;
  /** A session ends at this age, however often it is used. */
  readonly lifetimeMs: number;
};

/** Which sessions of a provider end. Null: whatever it is; at least one of the two is given. */
export type ProviderOrder = { readonly sub: string | null; readonly sid: string | null; readonly issuedAt: Date };

/** The sessions of browsers in PostgreSQL, by the clock of its server. All processes of an installation share them. */
export interface Sessions {
  /** Opens a session. The secret is the value of the cookie. Only its hash is stored. */
  open(session: NewSession, person?: NewPerson): Promise<Session & { readonly secret: Secret }>;
  /** The session of a cookie, which counts as used now. Undefined: there is no such session, or it has ended. */
  find(secret: string): Promise<Session | undefined>;
  /** The sealed tokens of a session. */
  tokensOf(id: string): Promise<string | undefined>;
  /** The same, for the one caller that may renew them now. Undefined: they are not due, or another caller renews them. */
  takeForRenewal(id: string): Promise<string | undefined>;
  renewed(id: string, person: FromProvider): Promise<void>;
  /** The tokens are renewed with the next request of the session. */
  renewSoon(id: string): Promise<void>;
  /** Adds a service to `openedServices`, which keeps the newest 20. */
  openService(id: string, serviceId: string): Promise<void>;
  /** Ends the sessions that a provider names and that began before the time. Returns their owners. */
  endOfProvider(issuer: string, order: ProviderOrder): Promise<readonly SessionOwner[]>;
  /** Ends a session. False: it had ended before. */
  end(id: string): Promise<boolean>;
  /** The sessions of this owner that have not ended, the newest first; at most 100. */
  ofOwner(owner: SessionOwner): Promise<readonly Session[]>;
  /** Deletes the rows of ended sessions, and returns their number. */
  sweep(): Promise<number>;
}

/** How long a caller has to renew tokens, until another caller tries it. */
const renewalMs = 30_000;

/** How many rows one statement of a sweep deletes, so that no statement takes long. */
const sweptAtOnce = 10_000;

const columns = `id, issuer, subject, name, client_address AS "clientAddress", user_agent AS "userAgent",
  created_at AS "createdAt", last_used_at AS "lastUsedAt", expires_at AS "expiresAt", grants,
  coalesce(renew_at <= clock_timestamp(), false) AS "isToRenew", opened_services AS "openedServices"`;

/** `onEnd` is called with the owner of each session that has ended, except at its limits of time. */
export function createSessions(
  dataSource: DataSource,
  { idleMs, lifetimeMs }: SessionLimits,
  onEnd: (owner: SessionOwner) => Promise<void> = () => Promise.resolve(),
): Sessions {
  return {
    async open({ issuer, subject, name, clientAddress, userAgent }, person) {
      const [id, secret] = [uuidv7(), randomBytes(32).toString('base64url')];
      const [session] = await dataSource.query<[Session]>(
        `WITH opened AS (
           INSERT INTO sign_in_sessions (id, secret_hash, issuer, subject, name, client_address, user_agent, expires_at,
           grants, provider_session, sealed_tokens, renew_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp() + $8 * interval '1 millisecond',
           $9, $10, $11, clock_timestamp() + $12::float8 * interval '1 millisecond') RETURNING *
         )
         SELECT ${columns} FROM opened`,
        [
          ...[id, hashOf(secret), issuer, subject, name, clientAddress, userAgent?.slice(0, 200) ?? null, lifetimeMs],
          ...[JSON.stringify(person?.grants ?? []), person?.providerSession ?? null],
          ...[person === undefined ? null : Buffer.from(person.sealedTokens), person?.renewInMs ?? null],
        ],
      );
      return { ...session, secret: new Secret(secret) };
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

    async tokensOf(id) {
      const [row] = await dataSource.query<{ readonly sealed: Buffer | null }[]>(
        'SELECT sealed_tokens AS sealed FROM sign_in_sessions WHERE id = $1',
        [id],
      );
      return row?.sealed?.toString();
    },

    async takeForRenewal(id) {
      const [row] = await dataSource.query<{ readonly sealed: Buffer | null }[]>(
        `WITH taken AS (
           UPDATE sign_in_sessions SET renew_at = clock_timestamp() + $2 * interval '1 millisecond'
           WHERE id = $1 AND renew_at <= clock_timestamp() RETURNING sealed_tokens
         )
         SELECT sealed_tokens AS sealed FROM taken`,
        [id, renewalMs],
      );
      return row?.sealed?.toString();
    },

    async renewed(id, { grants, sealedTokens, renewInMs }) {
      await dataSource.query(
        `UPDATE sign_in_sessions SET grants = $2, sealed_tokens = $3,
           renew_at = clock_timestamp() + $4::float8 * interval '1 millisecond' WHERE id = $1`,
        [id, JSON.stringify(grants), Buffer.from(sealedTokens), renewInMs],
      );
    },

    async renewSoon(id) {
      await dataSource.query('UPDATE sign_in_sessions SET renew_at = clock_timestamp() WHERE id = $1', [id]);
    },

    async openService(id, serviceId) {
      await dataSource.query(
        `UPDATE sign_in_sessions
         SET opened_services = (ARRAY[$2::uuid] || array_remove(opened_services, $2::uuid))[1:20]
         WHERE id = $1 AND opened_services[1] IS DISTINCT FROM $2::uuid`,
        [id, serviceId],
      );
    },

    async endOfProvider(issuer, { sub, sid, issuedAt }) {
      const owners = await dataSource.query<SessionOwner[]>(
        `WITH ended AS (
           DELETE FROM sign_in_sessions
           WHERE issuer = $1 AND ($2::text IS NULL OR subject = $2) AND ($3::text IS NULL OR provider_session = $3)
             AND created_at <= $4::timestamptz + interval '30 seconds'
           RETURNING issuer, subject
         )
         SELECT DISTINCT issuer, subject FROM ended`,
        [issuer, sub, sid, issuedAt],
      );
      for (const owner of owners) await onEnd(owner);
      return owners;
    },

    async end(id) {
      const [owner] = await dataSource.query<SessionOwner[]>(
        `WITH ended AS (DELETE FROM sign_in_sessions WHERE id = $1 RETURNING issuer, subject)
         SELECT issuer, subject FROM ended`,
        [id],
      );
      if (owner !== undefined) await onEnd(owner);
      return owner !== undefined;
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
