import type { ListedDatabase } from './selection.js';
import type { Row, Session } from './session.js';

/** What information_schema says of the chosen databases, read once and used for inventory, privileges and losses. */
export type Catalog = {
  readonly databases: readonly ListedDatabase[];
  readonly tables: readonly CatalogTable[];
  readonly sequences: readonly Named[];
  readonly views: readonly CatalogView[];
  readonly routines: readonly CatalogRoutine[];
  readonly triggers: readonly Defined[];
  readonly events: readonly Defined[];
  /** Those that a check of losses or of row sizes needs. */
  readonly columns: readonly CatalogColumn[];
  readonly foreignKeys: readonly (Named & { readonly table: string; readonly referencedDatabase: string })[];
};

export type Named = { readonly database: string; readonly name: string };
export type Defined = Named & { readonly definer: string };
export type CatalogTable = Named & {
  /** Null: the table cannot be opened. */
  readonly engine: string | null;
  readonly estimatedRows: number;
  readonly dataBytes: number;
  /** To the second; null: not since the server started, or it does not know. */
  readonly changedAt: string | null;
  readonly systemVersioned: boolean;
  /** The server's word for it, `BASE TABLE` or `SYSTEM VERSIONED`. */
  readonly type: string;
  readonly rowFormat: string | null;
  readonly collation: string | null;
};
export type CatalogView = Defined & { readonly definition: string; readonly withCheckOption: boolean };
export type CatalogRoutine = Defined & { readonly kind: string; readonly bodyVisible: boolean };
export type CatalogColumn = Named & {
  readonly table: string;
  readonly dataType: string;
  readonly characterSet: string | null;
  readonly collation: string | null;
  /** Of a column with ROW START. */
  readonly rowStart: boolean;
};

export async function readCatalog(session: Session, databases: readonly ListedDatabase[]): Promise<Catalog> {
  const names = databases.map(({ name }) => name);
  const chosen = new Set(names);
  // information_schema compares names without regard to case: what it gives too much is taken out again.
  const ask = async (sql: string): Promise<readonly Row[]> =>
    (await session.query(sql, [names])).filter((row) => chosen.has(row['db'] ?? ''));

  const tables = await ask(
    `SELECT table_schema AS db, table_name AS name, table_type AS kind, engine, table_rows AS estimated_rows,
            data_length AS data_bytes, update_time AS changed_at, row_format, table_collation AS collation
       FROM information_schema.tables WHERE table_schema IN (?) ORDER BY table_schema, table_name`,
  );
  const views = await ask(
    `SELECT table_schema AS db, table_name AS name, definer, view_definition AS definition, check_option
       FROM information_schema.views WHERE table_schema IN (?) ORDER BY table_schema, table_name`,
  );
  const routines = await ask(
    `SELECT routine_schema AS db, routine_name AS name, definer, routine_type AS kind,
            routine_definition IS NOT NULL AS body_visible
       FROM information_schema.routines WHERE routine_schema IN (?) ORDER BY routine_schema, routine_name`,
  );
  const triggers = await ask(
    `SELECT trigger_schema AS db, trigger_name AS name, definer
       FROM information_schema.triggers WHERE trigger_schema IN (?) ORDER BY trigger_schema, trigger_name`,
  );
  const events = await ask(
    `SELECT event_schema AS db, event_name AS name, definer
       FROM information_schema.events WHERE event_schema IN (?) ORDER BY event_schema, event_name`,
  );
  const columns = await ask(
    `SELECT c.table_schema AS db, c.table_name, c.column_name AS name, c.data_type, c.character_set_name AS character_set,
            c.collation_name AS collation, c.generation_expression
       FROM information_schema.columns c WHERE c.table_schema IN (?)
        AND (c.data_type IN ('float','tinytext','text','mediumtext','longtext','varchar','json','blob','tinyblob',
                             'mediumblob','longblob','varbinary','binary','geometry','point','linestring','polygon',
                             'multipoint','multilinestring','multipolygon','geometrycollection')
             OR c.character_set_name IS NOT NULL OR c.generation_expression = 'ROW START')
      ORDER BY c.table_schema, c.table_name, c.ordinal_position`,
  );
  const foreignKeys = await ask(
    `SELECT constraint_schema AS db, constraint_name AS name, table_name,
            unique_constraint_schema AS referenced_database
       FROM information_schema.referential_constraints WHERE constraint_schema IN (?)`,
  );
  return {
    databases,
    tables: tables.filter((row) => isTable(row)).map(table),
    sequences: tables.filter((row) => row['kind'] === 'SEQUENCE').map(named),
    views: views.map((row) => ({
      ...defined(row),
      definition: row['definition'] ?? '',
      withCheckOption: row['check_option'] !== 'NONE',
    })),
    routines: routines.map((row) => ({
      ...defined(row),
      kind: row['kind'] ?? '',
      bodyVisible: row['body_visible'] === '1',
    })),
    triggers: triggers.map(defined),
    events: events.map(defined),
    columns: columns.map((row) => ({
      ...named(row),
      table: row['table_name'] ?? '',
      dataType: row['data_type'] ?? '',
      characterSet: row['character_set'] ?? null,
      collation: row['collation'] ?? null,
      rowStart: row['generation_expression'] === 'ROW START',
    })),
    foreignKeys: foreignKeys.map((row) => ({
      ...named(row),
      table: row['table_name'] ?? '',
      referencedDatabase: row['referenced_database'] ?? '',
    })),
  };
}

function isTable(row: Row): boolean {
  return row['kind'] === 'BASE TABLE' || row['kind'] === 'SYSTEM VERSIONED';
}

function table(row: Row): CatalogTable {
  return {
    ...named(row),
    engine: row['engine'] ?? null,
    estimatedRows: Number(row['estimated_rows'] ?? 0),
    dataBytes: Number(row['data_bytes'] ?? 0),
    changedAt: row['changed_at'] ?? null,
    systemVersioned: row['kind'] === 'SYSTEM VERSIONED',
    type: row['kind'] ?? '',
    rowFormat: row['row_format'] ?? null,
    collation: row['collation'] ?? null,
  };
}

function named(row: Row): Named {
  return { database: row['db'] ?? '', name: row['name'] ?? '' };
}

function defined(row: Row): Defined {
  return { ...named(row), definer: row['definer'] ?? '' };
}

/** Tables whose history is kept by transaction ids, which `--dump-history` cannot read. */
export function transactionPreciseTables(catalog: Catalog): readonly Named[] {
  return catalog.columns
    .filter(({ rowStart, dataType }) => rowStart && dataType === 'bigint')
    .map(({ database, table: name }) => ({ database, name }));
}
