import type { DataSource } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import type { AuditKind, NewAuditEvent, StoredAuditEvent } from './auditEvent.js';
import { Repetitions } from './repetitions.js';

/** Absent and null: no condition. */
export type AuditSelection = {
  /** `ALL`: also events that belong to no project. */
  readonly projectIds: 'ALL' | readonly string[];
  readonly what?: readonly AuditKind[] | null | undefined;
  readonly actor?: string | null | undefined;
  readonly from?: Date | null | undefined;
  readonly before?: Date | null | undefined;
};

/** Who signed in and out, which attempts were refused, and who has read what is sensitive. */
export interface AuditTrail {
  /** A failure is logged with the event, and never fails what is recorded. Equal refusals and reads are counted. */
  record(event: NewAuditEvent): Promise<void>;
  /** The newest events, or those that are older than the event `after`. */
  list(selection: AuditSelection, first: number, after: string | null): Promise<readonly StoredAuditEvent[]>;
  count(selection: AuditSelection): Promise<number>;
  /** Deletes events that are too old, and returns their number. */
  sweep(): Promise<number>;
  /** Stores what was only counted so far. */
  flush(): Promise<void>;
}

const ofRefusals = { windowMs: 60_000, mostStored: 60 };
const ofReads = { windowMs: 3_600_000, mostStored: 1_000 };
/** How many rows one statement of a sweep deletes, so that no statement takes long. */
const sweptAtOnce = 10_000;

const columns = `id, at, what, actor, actor_kind AS "actorKind", name, client_address AS "clientAddress",
  project_id AS "projectId", operation, target, correlation_id AS "correlationId", detail, attempts`;

const conditions = `($1::uuid[] IS NULL OR project_id = ANY($1::uuid[])) AND ($2::text[] IS NULL OR what = ANY($2::text[]))
  AND ($3::text IS NULL OR actor = $3) AND ($4::timestamptz IS NULL OR at >= $4) AND ($5::timestamptz IS NULL OR at < $5)`;

export function createAuditTrail(
  dataSource: DataSource,
  retentionMs: number,
  log: { error(fields: object, message: string): void },
  nowMs: () => number = () => performance.now(),
): AuditTrail {
  async function store(event: NewAuditEvent): Promise<void> {
    const { what, actor = null, actorKind = null, name = null, clientAddress = null, projectId = null } = event;
    const { operation = null, target = null, correlationId = null, detail = null, attempts = 1 } = event;
    try {
      await dataSource.query(
        `INSERT INTO audit_entries (id, what, actor, actor_kind, name, client_address, project_id, operation, target,
           correlation_id, detail, attempts)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
        [
          ...[uuidv7(), what, actor, actorKind, name, clientAddress, projectId, operation, target],
          ...[correlationId, detail, attempts],
        ],
      );
    } catch (error) {
      log.error({ err: error, what, actor, clientAddress }, 'An event of the audit could not be stored.');
    }
  }

  const refusals = new Repetitions(ofRefusals, store, nowMs);
  const reads = new Repetitions(ofReads, store, nowMs);

  return {
    record(event) {
      if (event.what.endsWith('_REFUSED')) return refusals.add(event);
      return event.what === 'SETTINGS_READ' ? reads.add(event) : store(event);
    },

    async list(selection, first, after) {
      return dataSource.query<StoredAuditEvent[]>(
        `SELECT ${columns} FROM audit_entries
         WHERE ${conditions} AND ($6::uuid IS NULL OR id < $6::uuid) ORDER BY id DESC LIMIT $7`,
        [...parametersOf(selection), after, first],
      );
    },

    async count(selection) {
      const [{ count }] = await dataSource.query<[{ readonly count: number }]>(
        `SELECT count(*)::integer AS count FROM audit_entries WHERE ${conditions}`,
        parametersOf(selection),
      );
      return count;
    },

    async sweep() {
      for (let swept = 0; ;) {
        const [{ count }] = await dataSource.query<[{ readonly count: number }]>(
          `WITH old AS (
             SELECT id FROM audit_entries WHERE at < clock_timestamp() - $1 * interval '1 millisecond' LIMIT ${sweptAtOnce}
           ), deleted AS (DELETE FROM audit_entries USING old WHERE audit_entries.id = old.id RETURNING 1)
           SELECT count(*)::integer AS count FROM deleted`,
          [retentionMs],
        );
        swept += count;
        if (count < sweptAtOnce) return swept;
      }
    },

    async flush() {
      await refusals.flush();
      await reads.flush();
    },
  };
}

function parametersOf({ projectIds, what, actor, from, before }: AuditSelection): unknown[] {
  return [projectIds === 'ALL' ? null : projectIds, what ?? null, actor ?? null, from ?? null, before ?? null];
}
