import { Pool, type ClientBase } from 'pg';
import type { Secret } from '../../secret.js';
import type { AlarmClock } from '../alarmClock.js';
import { AgendaAlarmClock, type AgendaOptions } from './agendaAlarmClock.js';
import { openStore } from './alarmStore.js';
import { PostgresAlarmStore } from './postgresAlarmStore.js';
import { checkedSchema } from './postgresAlarmTable.js';

export type PostgresAlarmClockOptions = AgendaOptions & {
  /**
   * `postgresql://…`. It leads to the server itself or to a pooler in session mode. The role needs CREATE on the
   * database, unless the schema exists.
   */
  readonly connectionString: Secret;
  /** The schema of the table. Default: `alarms`. */
  readonly schema?: string;
};

const answerLimitMs = 5_000;
const connections = 5;

/**
 * An alarm clock in PostgreSQL, in a schema of its own. Uses at most 5 connections.
 * Throws UNAVAILABLE if the server does not answer within 5 s, or if the table is missing and may not be created.
 */
export async function openPostgresAlarmClock(options: PostgresAlarmClockOptions): Promise<AlarmClock> {
  const { connectionString, schema: wantedSchema, ...agendaOptions } = options;
  const schema = checkedSchema(wantedSchema);
  // Commits need not wait for the disk: alarms may be lost, because the reconciler sets them again.
  const settings: (client: ClientBase) => unknown = (client) =>
    client.query(`SET search_path TO ${schema}; SET synchronous_commit TO off`);
  const pool = new Pool({
    connectionString: connectionString.reveal(),
    application_name: 'stowage alarms',
    max: connections,
    connectionTimeoutMillis: answerLimitMs,
    query_timeout: answerLimitMs,
    keepAlive: true,
    onConnect: settings,
  });
  // A broken idle connection is replaced at the next query. If that fails too, the query reports it.
  pool.on('error', () => undefined);
  const store = new PostgresAlarmStore(pool, schema, `PostgreSQL, schema ${schema}`);
  return new AgendaAlarmClock(await openStore(store), agendaOptions);
}
