import { PostgresJobRepository } from '@agendajs/postgres-backend';
import { DatabaseError, type Pool } from 'pg';
import type { AlarmDocument } from './alarmDocument.js';
import type { AlarmStore, StoredAlarm } from './alarmStore.js';
import { createAlarmTable, tableName } from './postgresAlarmTable.js';

/** Undefined table, undefined schema: https://www.postgresql.org/docs/15/errcodes-appendix.html */
const missing = new Set(['42P01', '3F000']);

/** The alarms that Agenda will still run. */
const alive = 'next_run_at IS NOT NULL OR locked_at IS NOT NULL';

/** Alarms in a table of Agenda's form. The search path of the connections selects the schema. */
export class PostgresAlarmStore implements AlarmStore {
  readonly repository: PostgresJobRepository;

  /** Owns the pool: `close` closes it. */
  constructor(
    private readonly pool: Pool,
    private readonly schema: string,
    readonly name: string,
  ) {
    this.repository = new PostgresJobRepository({ pool, tableName, ensureSchema: false });
  }

  async prepare(): Promise<void> {
    await createAlarmTable(this.pool, this.schema);
  }

  async find(keys: readonly string[]): Promise<StoredAlarm[]> {
    return await this.#rows<StoredAlarm>(
      `SELECT id, data->>'key' AS key, data->>'at' AS at, next_run_at IS NULL AND locked_at IS NULL AS dead
       FROM ${tableName} WHERE data->>'key' = ANY($1)`,
      [keys],
    );
  }

  async insert(documents: readonly AlarmDocument[]): Promise<number> {
    const inserted = await this.#rows(
      `INSERT INTO ${tableName} (name, priority, next_run_at, type, data)
       SELECT name, 0, next_run_at, 'normal', data::jsonb
       FROM unnest($1::text[], $2::timestamptz[], $3::text[]) AS alarm (name, next_run_at, data)
       ON CONFLICT ((data->>'key')) DO NOTHING
       RETURNING id`,
      [
        documents.map(({ name }) => name),
        documents.map(({ nextRunAt }) => nextRunAt),
        documents.map(({ data }) => JSON.stringify(data)),
      ],
    );
    return inserted.length;
  }

  async removeByIds(ids: readonly string[]): Promise<void> {
    await this.#rows(`DELETE FROM ${tableName} WHERE id = ANY($1::uuid[])`, [ids]);
  }

  async removeByKeys(keys: readonly string[]): Promise<void> {
    await this.#rows(`DELETE FROM ${tableName} WHERE data->>'key' = ANY($1)`, [keys]);
  }

  async isAnyDue(until: Date, lockedBefore: Date): Promise<boolean> {
    const rows = await this.#rows(
      `(SELECT FROM ${tableName} WHERE locked_at IS NULL AND next_run_at <= $1 LIMIT 1)
       UNION ALL (SELECT FROM ${tableName} WHERE locked_at <= $2 LIMIT 1)`,
      [until, lockedBefore],
    );
    return rows.length > 0;
  }

  async list(): Promise<unknown[]> {
    const rows = await this.#rows<{ data: unknown }>(`SELECT data FROM ${tableName} WHERE ${alive}`, []);
    return rows.map(({ data }) => data);
  }

  async count(name: string): Promise<number> {
    const sql = `SELECT count(*)::int AS count FROM ${tableName} WHERE name = $1 AND (${alive})`;
    return (await this.#rows<{ count: number }>(sql, [name]))[0]?.count ?? 0;
  }

  async ping(): Promise<void> {
    await this.pool.query('SELECT 1');
  }

  async close(): Promise<void> {
    await this.pool.end();
  }

  /** If the table is missing, it is created, and the query runs once more. */
  async #rows<Row extends object>(sql: string, values: unknown[]): Promise<Row[]> {
    try {
      return (await this.pool.query<Row>(sql, values)).rows;
    } catch (error) {
      if (!(error instanceof DatabaseError && missing.has(error.code ?? ''))) throw error;
      await this.prepare();
      return (await this.pool.query<Row>(sql, values)).rows;
    }
  }
}
