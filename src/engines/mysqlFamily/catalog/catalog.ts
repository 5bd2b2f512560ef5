import { readForeignKeysElsewhere, type ForeignKey } from './foreignKeys.js';
import type { ListedDatabase } from './selection.js';
import type { Row, Session } from '../session/session.js';
import { reportsChanges } from './storageEngines.js';

/** The chosen databases in information_schema. They are read once for the inventory, the privileges and the losses. */
export type Catalog = Omit<Names, 'tables' | 'views'> & {
  readonly tables: readonly CatalogTable[];
  readonly views: readonly CatalogView[];
  /** Contains only foreign keys into another database. */
  readonly foreignKeys: readonly ForeignKey[];
};

/**
 * The part of the catalog that the server provides without opening every table. Reading it takes a tenth of the time.
 */
export type Names = Programs & {
  readonly databases: readonly ListedDatabase[];
  readonly tables: readonly NamedTable[];
  readonly sequences: readonly Named[];
  readonly triggers: readonly Defined[];
  readonly events: readonly Defined[];
  /** The columns that the check of losses needs. */
  readonly columns: readonly CatalogColumn[];
};

/** The objects that decide which privileges a dump needs. */
export type Programs = {
  readonly databases: readonly ListedDatabase[];
  readonly views: readonly ViewDefinition[];
  readonly routines: readonly CatalogRoutine[];
};

export type Named = { readonly database: string; readonly name: string };
export type Defined = Named & { readonly definer: string };
export type NamedTable = Named & {
  /** Null: the table cannot be opened. */
  readonly engine: string | null;
  readonly systemVersioned: boolean;
  /** The type as the server names it: `BASE TABLE` or `SYSTEM VERSIONED`. */
  readonly type: string;
};
export type CatalogTable = NamedTable & {
  readonly estimatedRows: number;
  readonly dataBytes: number;
  /** In whole seconds. Null: not written to since the server last opened the table, or the server does not know. */
  readonly changedAt: string | null;
  /** When the current definition of the table was created. */
  readonly createdAt: string | null;
  readonly rowFormat: string | null;
  readonly collation: string | null;
};
export type ViewDefinition = Defined & { readonly definition: string; readonly withCheckOption: boolean };
export type CatalogView = ViewDefinition & {
  /** False: the server could not open the table when it was listed. */
  readonly opens: boolean;
};
export type CatalogRoutine = Defined & { readonly kind: string; readonly bodyVisible: boolean };
export type CatalogColumn = Named & {
  readonly table: string;
  readonly dataType: string;
  readonly characterSet: string | null;
  readonly collation: string | null;
  /** The column is declared with ROW START. */
  readonly rowStart: boolean;
};

export async function readCatalog(session: Session, databases: readonly ListedDatabase[]): Promise<Catalog> {
  const query = queriesOf(session, databases);
  const tables: CatalogTable[] = [];
  const sequences: Named[] = [];
  const broken = new Set<string>();
  await query(
    `SELECT table_schema AS db, table_name AS name, table_type AS kind, engine AS engine, table_rows AS estimated_rows,
            data_length AS data_bytes, update_time AS changed_at, create_time AS created_at, row_format AS row_format,
            table_collation AS collation, table_comment AS comment
       FROM information_schema.tables WHERE table_schema IN (?) ORDER BY table_schema, table_name`,
    (row) => {
      if (isTable(row)) tables.push(table(row));
      if (isSequence(row)) sequences.push(named(row));
      // The comment of a view is 'VIEW'. If the view cannot be opened, the comment is the reason.
      if (row['kind'] === 'VIEW' && row['comment'] !== 'VIEW') broken.add(key(row));
    },
  );
  const rest = await readRest(query, databases);
  return {
    ...rest,
    tables,
    sequences,
    views: rest.views.map((view) => ({ ...view, opens: !broken.has(JSON.stringify([view.database, view.name])) })),
    foreignKeys: await readForeignKeysElsewhere(session, databases),
  };
}

/** Opens no table. Called after a dump, to find objects that were created or dropped meanwhile. */
export async function readNames(session: Session, databases: readonly ListedDatabase[]): Promise<Names> {
  const query = queriesOf(session, databases);
  const tables: NamedTable[] = [];
  const sequences: Named[] = [];
  await query(
    `SELECT table_schema AS db, table_name AS name, table_type AS kind, engine AS engine
       FROM information_schema.tables WHERE table_schema IN (?) ORDER BY table_schema, table_name`,
    (row) => {
      if (isTable(row)) tables.push(namedTable(row));
      if (isSequence(row)) sequences.push(named(row));
    },
  );
  return { ...(await readRest(query, databases)), tables, sequences };
}

/** When a table was last written to and defined. */
export type TableTimes = {
  readonly changedAt?: string | null;
  readonly createdAt: string | null;
  /** The table was written to within the last two seconds, so a later write may show the same time. */
  readonly isFresh: boolean;
};

/** Undefined: the table no longer exists. */
export async function readTimes(session: Session, { database, name }: Named): Promise<TableTimes | undefined> {
  const rows = await session.query(
    `SELECT table_schema AS db, table_name AS name, engine AS engine, update_time AS changed_at, create_time AS created_at,
            update_time >= NOW() - INTERVAL 2 SECOND AS is_fresh
       FROM information_schema.tables WHERE table_schema = ? AND table_name = ?`,
    [database, name],
  );
  const row = rows.find((each) => each['db'] === database && each['name'] === name);
  if (row === undefined) return undefined;
  const times = { createdAt: row['created_at'] ?? null, isFresh: row['is_fresh'] === '1' };
  const engine = row['engine'] ?? null;
  // The kernel writes a mapped file later, and sets its time only then.
  const isMapped = engine?.toLowerCase() === 'myisam' && session.found.get('myisam_use_mmap')?.value === 'ON';
  return reportsChanges(engine) && !isMapped ? { ...times, changedAt: row['changed_at'] ?? null } : times;
}

/** Reads only what `refuseMissingDumpPrivileges` asks for. */
export async function readPrograms(session: Session, databases: readonly ListedDatabase[]): Promise<Programs> {
  return programs(queriesOf(session, databases), databases);
}

/**
 * Queries the chosen databases, and returns what `read` makes of each row. The rows come in portions and are not kept,
 * because a server may have a million objects.
 */
type QueryRows = <T>(sql: string, read: (row: Row) => T) => Promise<readonly T[]>;

/** The limit for one answer of the catalogue. About a million tables fit. */
const maxBytes = 512 * 1024 * 1024;

function queriesOf(session: Session, databases: readonly ListedDatabase[]): QueryRows {
  const names = databases.map(({ name }) => name);
  const chosen = new Set(names);
  return async (sql, read) => {
    const found: ReturnType<typeof read>[] = [];
    const onRows = (rows: readonly Row[]) => {
      // information_schema ignores letter case, so rows of other databases are filtered out here.
      for (const row of rows) if (chosen.has(row['db'] ?? '')) found.push(read(row));
    };
    await session.query(sql, [names], { maxBytes, onRows });
    return found;
  };
}

async function programs(query: QueryRows, databases: readonly ListedDatabase[]): Promise<Programs> {
  const views = await query(
    `SELECT table_schema AS db, table_name AS name, definer AS definer, view_definition AS definition,
            check_option AS check_option
       FROM information_schema.views WHERE table_schema IN (?) ORDER BY table_schema, table_name`,
    (row): ViewDefinition => ({
      ...defined(row),
      definition: row['definition'] ?? '',
      withCheckOption: row['check_option'] !== 'NONE',
    }),
  );
  const routines = await query(
    `SELECT routine_schema AS db, routine_name AS name, definer AS definer, routine_type AS kind,
            routine_definition IS NOT NULL AS body_visible
       FROM information_schema.routines WHERE routine_schema IN (?) ORDER BY routine_schema, routine_name`,
    (row): CatalogRoutine => ({
      ...defined(row),
      kind: row['kind'] ?? '',
      bodyVisible: row['body_visible'] === '1',
    }),
  );
  return { databases, views, routines };
}

/** Reads everything except the tables. */
async function readRest(
  query: QueryRows,
  databases: readonly ListedDatabase[],
): Promise<Omit<Names, 'tables' | 'sequences'>> {
  const triggers = await query(
    `SELECT trigger_schema AS db, trigger_name AS name, definer AS definer
       FROM information_schema.triggers WHERE trigger_schema IN (?) ORDER BY trigger_schema, trigger_name`,
    defined,
  );
  const events = await query(
    `SELECT event_schema AS db, event_name AS name, definer AS definer
       FROM information_schema.events WHERE event_schema IN (?) ORDER BY event_schema, event_name`,
    defined,
  );
  const columns = await query(
    `SELECT c.table_schema AS db, c.table_name AS table_name, c.column_name AS name, c.data_type AS data_type,
            c.character_set_name AS character_set,
            c.collation_name AS collation, c.generation_expression AS generation_expression
       FROM information_schema.columns c WHERE c.table_schema IN (?)
        AND (c.data_type IN ('float','tinytext','text','mediumtext','longtext','varchar','json','blob','tinyblob',
                             'mediumblob','longblob','varbinary','binary','geometry','point','linestring','polygon',
                             'multipoint','multilinestring','multipolygon','geometrycollection')
             OR c.character_set_name IS NOT NULL OR c.generation_expression = 'ROW START')
      ORDER BY c.table_schema, c.table_name, c.ordinal_position`,
    (row): CatalogColumn => ({
      ...named(row),
      table: row['table_name'] ?? '',
      dataType: row['data_type'] ?? '',
      characterSet: row['character_set'] ?? null,
      collation: row['collation'] ?? null,
      rowStart: row['generation_expression'] === 'ROW START',
    }),
  );
  return {
    ...(await programs(query, databases)),
    triggers,
    events,
    columns,
  };
}

function isTable(row: Row): boolean {
  return row['kind'] === 'BASE TABLE' || row['kind'] === 'SYSTEM VERSIONED';
}

function isSequence(row: Row): boolean {
  return row['kind'] === 'SEQUENCE';
}

function namedTable(row: Row): NamedTable {
  return {
    ...named(row),
    engine: row['engine'] ?? null,
    systemVersioned: row['kind'] === 'SYSTEM VERSIONED',
    type: row['kind'] ?? '',
  };
}

function table(row: Row): CatalogTable {
  return {
    ...namedTable(row),
    estimatedRows: Number(row['estimated_rows'] ?? 0),
    dataBytes: Number(row['data_bytes'] ?? 0),
    changedAt: row['changed_at'] ?? null,
    createdAt: row['created_at'] ?? null,
    rowFormat: row['row_format'] ?? null,
    collation: row['collation'] ?? null,
  };
}

function key(row: Row): string {
  return JSON.stringify([row['db'], row['name']]);
}

function named(row: Row): Named {
  return { database: row['db'] ?? '', name: row['name'] ?? '' };
}

function defined(row: Row): Defined {
  return { ...named(row), definer: row['definer'] ?? '' };
}

/** Tables whose history is kept by transaction ids, which `--dump-history` cannot read. */
export function transactionPreciseTables({ columns }: Pick<Names, 'columns'>): readonly Named[] {
  return columns
    .filter(({ rowStart, dataType }) => rowStart && dataType === 'bigint')
    .map(({ database, table: name }) => ({ database, name }));
}
