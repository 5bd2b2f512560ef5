import type { DataSource } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';

export const auditKinds = [
  'SIGNED_IN',
  'SIGN_IN_REFUSED',
  'SIGNED_OUT',
  'SIGNED_OUT_BY_PROVIDER',
  'SESSION_ENDED',
  'SIGN_IN_LINK_CREATED',
] as const;
export type AuditKind = (typeof auditKinds)[number];

export type AuditEntry = {
  readonly what: AuditKind;
  /** The subject of the viewer. Null: nobody has signed in. */
  readonly actor: string | null;
  /** The name of the actor at that time. */
  readonly name: string | null;
  readonly clientAddress: string | null;
  /** A sentence without secrets. */
  readonly detail: string | null;
  /** How many attempts of the same address the entry stands for. */
  readonly attempts: number;
};

export type StoredAuditEntry = AuditEntry & { readonly id: string; readonly at: Date };

/** Who signed in and out, and which attempts were refused. */
export interface AuditTrail {
  /** A failure is logged with the entry, and never fails the sign-in. */
  record(entry: Partial<AuditEntry> & Pick<AuditEntry, 'what'>): Promise<void>;
  /** The newest entries, or those that are older than the entry `before`. */
  list(first: number, before: string | null): Promise<readonly StoredAuditEntry[]>;
  /** Deletes entries that are too old, and returns their number. */
  sweep(): Promise<number>;
}

export function createAuditTrail(
  dataSource: DataSource,
  retentionMs: number,
  log: { error(fields: object, message: string): void },
  nowMs: () => number = () => performance.now(),
): AuditTrail {
  const refusals = new Refusals(nowMs);
  return {
    async record({ what, actor = null, name = null, clientAddress = null, detail = null, attempts = 1 }) {
      const counted = what === 'SIGN_IN_REFUSED' ? refusals.count(attempts) : attempts;
      if (counted === undefined) return;
      try {
        await dataSource.query(
          `INSERT INTO audit_entries (id, what, actor, name, client_address, detail, attempts)
           VALUES ($1, $2, $3, $4, $5, $6, $7)`,
          [uuidv7(), what, actor, name, clientAddress, detail, counted],
        );
      } catch (error) {
        log.error({ err: error, what, actor, clientAddress }, 'An entry of the audit could not be stored.');
      }
    },

    async list(first, before) {
      return dataSource.query<StoredAuditEntry[]>(
        `SELECT id, at, what, actor, name, client_address AS "clientAddress", detail, attempts FROM audit_entries
         WHERE $2::uuid IS NULL OR id < $2::uuid ORDER BY id DESC LIMIT $1`,
        [first, before],
      );
    },

    async sweep() {
      const [{ count }] = await dataSource.query<[{ readonly count: number }]>(
        `WITH deleted AS (
           DELETE FROM audit_entries WHERE at < clock_timestamp() - $1 * interval '1 millisecond' RETURNING 1
         )
         SELECT count(*)::integer AS count FROM deleted`,
        [retentionMs],
      );
      return count;
    },
  };
}

const refusalsPerMinute = 60;

/** Strangers must not fill the database. Beyond 60 a minute, refusals of this process are added to the next entry. */
class Refusals {
  #minute = -1;
  #stored = 0;
  #left = 0;

  constructor(private readonly nowMs: () => number) {}

  /** The attempts that the next entry stands for. Undefined: no entry is stored now. */
  count(attempts: number): number | undefined {
    const minute = Math.floor(this.nowMs() / 60_000);
    if (minute !== this.#minute) [this.#minute, this.#stored] = [minute, 0];
    this.#left += attempts;
    if (this.#stored >= refusalsPerMinute) return undefined;
    this.#stored += 1;
    const counted = this.#left;
    this.#left = 0;
    return counted;
  }
}
