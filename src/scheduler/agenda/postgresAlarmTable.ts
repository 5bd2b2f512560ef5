import { getCreateIndexesSQL, getCreateTableSQL, getUpdateTimestampTriggerSQL } from '@agendajs/postgres-backend';
import { DatabaseError, type ClientBase, type Pool } from 'pg';
import { badInput, StowageError } from '../../errors.js';

/** Agenda's own name for its table. */
export const tableName = 'agenda_jobs';
export const defaultSchema = 'alarms';
const keyIndex = 'agenda_jobs_alarm_key_idx';
const insufficientPrivilege = '42501';

/** Creates schema, table and indexes if they are missing. If they exist, the role needs only SELECT. */
export async function createAlarmTable(pool: Pool, schema: string): Promise<void> {
  const client = await pool.connect();
  let failure: unknown;
  try {
    await createMissing(client, schema);
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    client.release(failure !== undefined);
  }
}

/** Throws BAD_INPUT unless the name is plain, because Agenda does not quote it everywhere. */
export function checkedSchema(schema: string = defaultSchema): string {
  if (/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) return schema;
  throw badInput([
    { path: 'schema', problem: 'is not a plain name', hint: 'Use small letters, digits and underscores, at most 63.' },
  ]);
}

async function createMissing(client: ClientBase, schema: string): Promise<void> {
  const found = await client.query<{ complete: boolean; schema: boolean }>(
    'SELECT to_regclass($1) IS NOT NULL AS complete, to_regnamespace($2) IS NOT NULL AS schema',
    [`${schema}.${keyIndex}`, schema],
  );
  if (found.rows[0]?.complete === true) return;
  try {
    await client.query('BEGIN');
    // IF NOT EXISTS is not safe for two replicas that create at the same moment.
    await client.query(`SELECT pg_advisory_xact_lock(hashtext('stowage alarms'), hashtext($1))`, [schema]);
    // Checked first, because CREATE SCHEMA IF NOT EXISTS needs the privilege even if the schema exists.
    if (found.rows[0]?.schema !== true) await client.query(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
    await client.query(getCreateTableSQL(tableName));
    for (const sql of getCreateIndexesSQL(tableName)) await client.query(sql);
    await client.query(getUpdateTimestampTriggerSQL(tableName));
    await client.query(`CREATE UNIQUE INDEX IF NOT EXISTS ${keyIndex} ON ${tableName} ((data->>'key'))`);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    if (!(error instanceof DatabaseError && error.code === insufficientPrivilege)) throw error;
    throw new StowageError(
      'UNAVAILABLE',
      `The role of the alarm store may not create schema '${schema}' and its table. ` +
        'Create them as the role that owns the tables (MIGRATION_DATABASE_URL), or grant CREATE on the database.',
      { cause: error, retriable: false },
    );
  }
}
