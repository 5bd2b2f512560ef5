import { StowageError } from '../../../errors.js';
import { qualifiedName, quoteName } from '../catalog/names.js';
import { shortText, type Row, type Session } from '../session/session.js';

/** Refuses tables that the account may not read, or of which it would read only some rows. Throws SERVICE_PRIVILEGE. */
export async function refuseUndumpableTables(session: Session, tables: number): Promise<void> {
  await refuseUnreadable(session);
  await refuseHiddenRows(session);
  await refuseTooManyTables(session, tables);
}

async function refuseUnreadable(session: Session): Promise<void> {
  const rows = await session.query(unreadableQuery);
  if (rows.length === 0) return;
  const role = quoteName((await session.query('SELECT current_user AS name'))[0]?.['name'] ?? '');
  throw new StowageError(
    'SERVICE_PRIVILEGE',
    `The account may not read ${list(rows)} in the database '${session.database}'.`,
    {
      help: `Grant it the right to read everything, on the server: GRANT pg_read_all_data TO ${role} (PostgreSQL 14 and later). For large objects the account must own them, or be a superuser.`,
      details: { objects: rows.slice(0, 100).map(nameOf) },
    },
  );
}

const userSchema = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;

/** pg_dump locks each table and reads each sequence, and needs the schema for both. */
const unreadableQuery = `
SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind, n.nspname AS schema, c.relname AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'S') AND ${userSchema}
   AND NOT (has_schema_privilege(n.oid, 'USAGE')
            AND CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, 'SELECT') ELSE has_table_privilege(c.oid, 'SELECT') END)
   AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
UNION ALL
SELECT 'large object', NULL, l.oid::text FROM pg_largeobject_metadata l
 WHERE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
   AND NOT pg_has_role(l.lomowner, 'USAGE')
   AND NOT EXISTS (SELECT FROM aclexplode(l.lomacl) a WHERE a.privilege_type = 'SELECT' AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE')))
 ORDER BY 1, 2, 3 LIMIT 101`;

/** pg_dump itself ends with an error when it reads such a table, perhaps after hours. */
async function refuseHiddenRows(session: Session): Promise<void> {
  const rows = await session.query(
    `SELECT 'table' AS kind, n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND c.relrowsecurity AND ${userSchema}
        AND NOT (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user)
        AND (c.relforcerowsecurity OR NOT pg_has_role(c.relowner, 'USAGE'))
      ORDER BY 2, 3 LIMIT 101`,
  );
  if (rows.length === 0) return;
  const role = quoteName((await session.query('SELECT current_user AS name'))[0]?.['name'] ?? '');
  throw new StowageError(
    'SERVICE_PRIVILEGE',
    `Row-level security may hide rows of ${list(rows)} in the database '${session.database}' from the account.`,
    {
      help: `Let the account see all rows: ALTER ROLE ${role} BYPASSRLS.`,
      details: { objects: rows.slice(0, 100).map(nameOf) },
    },
  );
}

/** The dump holds a lock of each table until it ends. The server has room for about this number (manual, "Lock Management"). */
async function refuseTooManyTables(session: Session, tables: number): Promise<void> {
  const [row] = await session.query(
    `SELECT current_setting('max_locks_per_transaction')::bigint AS each, current_setting('max_connections')::bigint
            + current_setting('max_prepared_transactions')::bigint AS sessions`,
  );
  const [each, sessions] = [Number(row?.['each']), Number(row?.['sessions'])];
  if (tables <= each * sessions) return;
  throw new StowageError(
    'SERVICE_SETTING',
    `The database '${session.database}' has ${tables} tables, and the server has room for about ${each * sessions} locks (max_locks_per_transaction = ${each}).`,
    {
      help: `Set max_locks_per_transaction = ${Math.ceil((1.5 * tables) / sessions)} on the server and restart it, or divide the tables into several databases.`,
      details: { database: session.database, tables, max_locks_per_transaction: each },
    },
  );
}

function list(rows: readonly Row[]): string {
  const shown = rows.slice(0, 10).map((row) => `${row['kind'] ?? ''} ${nameOf(row)}`);
  const more = rows.length - shown.length;
  return `${shown.join(', ')}${more === 0 ? '' : ` and ${more > 90 ? 'many' : more} more`}`;
}

function nameOf(row: Row): string {
  const [schema, name] = [row['schema'] ?? null, row['name'] ?? ''];
  return shortText(schema === null ? name : qualifiedName(schema, name));
}
