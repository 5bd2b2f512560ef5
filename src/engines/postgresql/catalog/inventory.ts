import type { Definition, Inventory, InventoryDatabase } from '../../inventory.js';
import type { EngineContext } from '../../engineContext.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { openSessionAt, type Row, type Session, type SessionOptions } from '../session/session.js';
import { grantsOf, type ListedDatabase } from './databases.js';
import { normalisation, readDefinitions } from './readDefinitions.js';
import { superuserNeedsQuery } from './superuserNeeds.js';
import { countRows, inventoryTable, listTables, type ListedTable } from './tables.js';
import { targetNeedsQuery } from './targetNeeds.js';

/** NONE: the dump counts the rows. Otherwise the server counts them, for at most this long in total. */
export type Counting = 'NONE' | { readonly limitMs: number };

/** What every reader of a database gets: its session, and the tables that were listed in it. */
export type DatabaseReader = (
  session: Session,
  tables: readonly ListedTable[],
  database: ListedDatabase,
) => Promise<void>;

/**
 * Reads the contents of these databases, each in a session of its own. `alsoRead` reads more in the same session.
 */
export async function readInventory(
  connection: ServiceConnection,
  first: Session,
  databases: readonly ListedDatabase[],
  options: {
    readonly session: Omit<SessionOptions, 'allowAddress'>;
    readonly toolVersion: string;
    readonly counting: Counting;
    readonly alsoRead?: DatabaseReader;
  },
): Promise<Inventory> {
  const until = options.counting === 'NONE' ? 0 : performance.now() + options.counting.limitMs;
  const found: InventoryDatabase[] = [];
  let sizeBytes = 0;
  for (const database of databases) {
    const session = await openSessionAt(connection, [first.server], options.session, database.name);
    try {
      const tables = await listTables(session);
      const isCounted = options.counting !== 'NONE';
      const counts = isCounted ? await countRows(session, tables, until - performance.now()) : undefined;
      found.push(await readDatabase(session, database, tables, counts));
      await options.alsoRead?.(session, tables, database);
      const [row] = await session.query('SELECT pg_database_size(current_database()) AS bytes');
      sizeBytes += Number(row?.['bytes'] ?? 0);
    } finally {
      session.close();
    }
  }
  return {
    serverVersion: first.version.text,
    toolVersion: options.toolVersion,
    sizeBytes,
    nameCase: 'DISTINCT',
    databases: found,
    definitionsTaken: { normalisation, server: `PostgreSQL ${first.version.major}` },
  };
}

async function readDatabase(
  session: Session,
  database: ListedDatabase,
  tables: readonly ListedTable[],
  counts: ReadonlyMap<string, number> | undefined,
): Promise<InventoryDatabase> {
  const definitions = await readDefinitions(session);
  const ofTables = definitions.get('tables') ?? new Map<string, Definition>();
  const others = [...definitions].filter(([kind]) => kind !== 'tables');
  const needs = await readNeeds(session, database);
  return {
    name: database.name,
    properties: database.properties,
    tables: tables.map((table) => {
      const definition = ofTables.get(table.name);
      const listed = inventoryTable(table, counts?.get(table.name));
      return { ...listed, ...(definition === undefined ? {} : { definition }) };
    }),
    objects: Object.fromEntries(others.map(([kind, all]) => [kind, [...all.keys()].sort()])),
    definitions: Object.fromEntries(
      others.map(([kind, all]) => [kind, Object.fromEntries([...all].filter(([, { hash }]) => hash !== ''))]),
    ),
    needs,
  };
}

/** The requirements of a database for a server, as the keys of `needs`. */
export const roleNeed = 'role ';
/** A role that owns objects or grants privileges of the database, so the account of a restore must be a member of it. */
export const ownerNeed = 'owner ';
export const extensionNeed = 'extension ';
export const tablespaceNeed = 'tablespace ';

async function readNeeds(
  session: Session,
  { name, roles, properties }: ListedDatabase,
): Promise<Readonly<Record<string, readonly string[]>>> {
  const queries = [needsQuery, superuserNeedsQuery, targetNeedsQuery];
  const rows: Row[] = [];
  for (const query of queries) rows.push(...(await session.query(query)));
  const all = [
    ...roles.map((role) => `${roleNeed}${role}`),
    ...[properties['owner'] ?? '', ...grantsOf(properties).map(({ grantor }) => grantor)].map(
      (role) => `${ownerNeed}${role}`,
    ),
    ...rows.map((row) => `${row['kind'] ?? ''} ${row['name'] ?? ''}`),
  ];
  return Object.fromEntries([...new Set(all)].sort().map((need) => [need, [name]]));
}

/** The bootstrap superuser (oid 10) is not in pg_shdepend. Members of roles are no part of a database. */
const needsQuery = `
WITH roles AS (
SELECT r.rolname AS name, d.deptype = 'o' AND d.classid <> 'pg_user_mapping'::regclass AS owns
  FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid
 WHERE d.refclassid = 'pg_authid'::regclass AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
UNION
SELECT r.rolname, true FROM pg_roles r
 WHERE r.oid = 10 AND (
   EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relowner = 10 AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')
   OR EXISTS (SELECT FROM pg_proc p WHERE p.proowner = 10 AND p.oid >= 16384)
   OR EXISTS (SELECT FROM pg_type t WHERE t.typowner = 10 AND t.oid >= 16384)
   OR EXISTS (SELECT FROM pg_namespace n WHERE n.nspowner = 10 AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'public')))
)
SELECT 'role' AS kind, name FROM roles
UNION SELECT 'owner', name FROM roles WHERE owns
UNION SELECT 'extension', extname FROM pg_extension
UNION
SELECT 'tablespace', t.spcname FROM pg_class c JOIN pg_tablespace t ON t.oid = c.reltablespace WHERE t.spcname NOT IN ('pg_default', 'pg_global')`;

/** How long the rows of a target are counted by default. */
export const defaultCountingMs = 20_000;

export type SessionContext = Pick<EngineContext, 'signal' | 'onAnswer'>;
