import type { Definition } from '../../inventory.js';
import type { Names, Named } from '../catalog/catalog.js';
import { quoteName } from '../privileges/grants.js';
import type { Row, Session } from '../session/session.js';
import { definitionOf } from './definition.js';
import { tableParts, type TableParts } from './tableParts.js';

/**
 * All definitions of the catalog's databases, by database. Objects that were dropped meanwhile, or that are hidden from
 * the user, are not included.
 */
export type Definitions = ReadonlyMap<string, DatabaseDefinitions>;
export type DatabaseDefinitions = {
  readonly tables: ReadonlyMap<string, TableParts>;
  /** By kind and name, like the objects of an inventory. */
  readonly objects: Readonly<Record<string, Readonly<Record<string, Definition>>>>;
  readonly routines: readonly RoutineTraits[];
  readonly triggers: readonly TriggerTexts[];
  /** `texts`: all text that a person wrote. */
  readonly events: readonly (Named & {
    readonly texts: readonly string[];
    readonly body: string;
    readonly sqlMode: string;
  })[];
};
export type TriggerTexts = Named & {
  readonly table: string;
  readonly body: string;
  readonly sqlMode: string;
  /** The original text, on a server that folds names. Only this text shows how the trigger spells its table. */
  readonly statement?: string;
};
export type RoutineTraits = Named & {
  readonly kind: string;
  readonly body: string;
  readonly sqlMode: string;
  /**
   * Declared as DETERMINISTIC, NO SQL or READS SQL DATA. A server with a binary log refuses to create other functions.
   */
  readonly safeForBinaryLog: boolean;
};

/** The number of tables that one statement reads. */
const batchSize = 100;

/**
 * A compound statement reads many tables at once, because a round trip for each table would take longer than the work
 * of the server. The result for an object that cannot be shown is empty. No lock on a table outlives its own SHOW
 * CREATE.
 */
export async function readDefinitions(session: Session, catalog: Names): Promise<Definitions> {
  const { viewsOf, routinesOf, triggersOf, eventsOf, parametersOf } = await readViewsAndPrograms(session, catalog);
  const collations = collationsOf(catalog);
  const [setting] = await session.query('SELECT @@lower_case_table_names AS folded');
  const statements = setting?.['folded'] === '0' ? undefined : await readTriggerStatements(session, catalog);
  const [tablesOf, sequencesOf] = [byDatabase(catalog.tables, databaseOf), byDatabase(catalog.sequences, databaseOf)];
  const definitions = new Map<string, DatabaseDefinitions>();
  for (const { name: database } of catalog.databases) {
    const kind = (wanted: string) => routinesOf(database).filter((row) => row['kind'] === wanted);
    definitions.set(database, {
      tables: await readTables(session, database, tablesOf(database), collations.get(database)),
      objects: {
        views: defined(viewsOf(database), 'view_definition', view),
        procedures: defined(kind('PROCEDURE'), 'routine_definition', routine(parametersOf)),
        functions: defined(kind('FUNCTION'), 'routine_definition', routine(parametersOf)),
        packages: defined(kind('PACKAGE'), 'routine_definition', routine(parametersOf)),
        packageBodies: defined(kind('PACKAGE BODY'), 'routine_definition', routine(parametersOf)),
        triggers: defined(triggersOf(database), 'action_statement', trigger),
        events: defined(eventsOf(database), 'event_definition', event),
        sequences: await readSequences(session, database, sequencesOf(database)),
      },
      events: eventsOf(database).map((row) => ({
        ...named(row),
        texts: ['name', 'definer', 'event_comment', 'event_definition'].map((column) => text(row, column)),
        body: text(row, 'event_definition'),
        sqlMode: text(row, 'sql_mode'),
      })),
      triggers: triggersOf(database).map((row) => ({
        ...named(row),
        table: text(row, 'event_object_table'),
        body: text(row, 'action_statement'),
        sqlMode: text(row, 'sql_mode'),
        ...(statements === undefined
          ? {}
          : { statement: statements.get(JSON.stringify([database, text(row, 'name')])) ?? '' }),
      })),
      routines: routinesOf(database).map((row) => ({
        ...named(row),
        kind: text(row, 'kind'),
        body: text(row, 'routine_definition'),
        sqlMode: text(row, 'sql_mode'),
        safeForBinaryLog:
          row['is_deterministic'] === 'YES' || /^(NO SQL|READS SQL DATA)$/.test(text(row, 'sql_data_access')),
      })),
    });
  }
  return definitions;
}

/** The rows of views and stored programs, by database. */
async function readViewsAndPrograms(session: Session, { databases }: Pick<Names, 'databases'>) {
  const names = databases.map(({ name }) => name);
  const query = async (sql: string): Promise<readonly Row[]> => await session.query(sql, [names]);
  const views = await query(
    `SELECT table_schema AS db, table_name AS name, view_definition AS view_definition, check_option AS check_option, security_type AS security_type,
            ${session.dialect.viewAlgorithm} AS algorithm, definer AS definer
       FROM information_schema.views WHERE table_schema IN (?)`,
  );
  const routines = await query(
    `SELECT routine_schema AS db, routine_name AS name, routine_type AS kind, routine_definition AS routine_definition, dtd_identifier AS dtd_identifier,
            is_deterministic AS is_deterministic, sql_data_access AS sql_data_access, security_type AS security_type, sql_mode AS sql_mode, routine_comment AS routine_comment, definer AS definer
       FROM information_schema.routines WHERE routine_schema IN (?)`,
  );
  const parameters = await query(
    `SELECT specific_schema AS db, specific_name AS name, routine_type AS kind, parameter_mode AS mode,
            parameter_name AS parameter, dtd_identifier AS type
       FROM information_schema.parameters WHERE specific_schema IN (?) AND ordinal_position > 0
      ORDER BY specific_schema, specific_name, ordinal_position`,
  );
  const triggers = await query(
    `SELECT trigger_schema AS db, trigger_name AS name, action_timing AS action_timing, event_manipulation AS event_manipulation, event_object_table AS event_object_table,
            action_order AS action_order, action_statement AS action_statement, sql_mode AS sql_mode, definer AS definer
       FROM information_schema.triggers WHERE trigger_schema IN (?)`,
  );
  const events = await query(
    `SELECT event_schema AS db, event_name AS name, event_definition AS event_definition, event_type AS event_type, execute_at AS execute_at, interval_value AS interval_value,
            interval_field AS interval_field, starts AS starts, ends AS ends, status AS status, on_completion AS on_completion, event_comment AS event_comment, sql_mode AS sql_mode, time_zone AS time_zone, definer AS definer
       FROM information_schema.events WHERE event_schema IN (?)`,
  );
  const of = (rows: readonly Row[]) => byDatabase(rows, databaseOfRow);
  return {
    ...{ viewsOf: of(views), routinesOf: of(routines), triggersOf: of(triggers), eventsOf: of(events) },
    parametersOf: groupParameters(parameters),
  };
}

function named(row: Row): Named {
  return { database: text(row, 'db'), name: text(row, 'name') };
}

const databaseOf = ({ database }: Named) => database;
const databaseOfRow = (row: Row) => text(row, 'db');

/** A server may have very many databases. */
function byDatabase<T>(all: readonly T[], keyOf: (one: T) => string): (database: string) => readonly T[] {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const group = groups.get(keyOf(one));
    if (group === undefined) groups.set(keyOf(one), [one]);
    else group.push(one);
  }
  return (database) => groups.get(database) ?? [];
}

async function readTables(
  session: Session,
  database: string,
  tables: readonly Named[],
  collations: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map(),
): Promise<ReadonlyMap<string, TableParts>> {
  const all = new Map<string, TableParts>();
  const { dialect } = session;
  const add = (name: string, definition: string) =>
    all.set(name, tableParts(definition, collations.get(name) ?? new Map(), dialect));
  const names = tables.map(({ name }) => name);
  const inBulk = (await dialect.readTablesInBulk?.(session, database, names)) ?? new Map<string, string>();
  for (const [name, definition] of inBulk) add(name, definition);
  const others = tables.filter(({ name }) => !inBulk.has(name));
  for await (const shown of batches(session, database, others)) {
    for (const row of shown) {
      const [name, definition] = [text(row, 'Table'), text(row, 'Create Table')];
      if (definition !== '') add(name, definition);
    }
  }
  return all;
}

/** While one batch is parsed here, the server reads the next. */
async function* batches(session: Session, database: string, tables: readonly Named[]): AsyncIterable<readonly Row[]> {
  let next = showTables(session, database, tables.slice(0, batchSize));
  for (let from = batchSize; from < tables.length; from += batchSize) {
    const current = await next;
    next = showTables(session, database, tables.slice(from, from + batchSize));
    // The rejection surfaces where the promise is awaited; this only prevents an unhandled rejection.
    next.catch(() => undefined);
    yield current;
  }
  yield await next;
}

function showTables(session: Session, database: string, batch: readonly Named[]): Promise<readonly Row[]> {
  return session.dialect.showAll(
    session,
    batch.map(({ name }) => `SHOW CREATE TABLE ${quoteName(database)}.${quoteName(name)}`),
  );
}

async function readSequences(
  session: Session,
  database: string,
  sequences: readonly Named[],
): Promise<Readonly<Record<string, Definition>>> {
  const all: [string, Definition][] = [];
  for (let from = 0; from < sequences.length; from += batchSize) {
    const rows = await session.dialect.showAll(
      session,
      sequences.slice(from, from + batchSize).flatMap(({ name }) => {
        const sequence = `${quoteName(database)}.${quoteName(name)}`;
        return [
          `SHOW CREATE SEQUENCE ${sequence}`,
          `SELECT next_not_cached_value AS next, cycle_count AS rounds FROM ${sequence}`,
        ];
      }),
    );
    for (const [index, row] of rows.entries()) {
      const definition = text(row, 'Create Table').replace(new RegExp('^CREATE SEQUENCE `(?:[^`]|``)*` '), '');
      const { next, rounds } = rows[index + 1] ?? {};
      const besides = {
        ...(typeof next === 'string' ? { next } : {}),
        ...(typeof rounds === 'string' && rounds !== '0' ? { rounds } : {}),
      };
      if (definition === '') continue;
      all.push([text(row, 'Table'), definitionOf(new Map([['definition', definition]]), { besides })]);
    }
  }
  return Object.fromEntries(all);
}

async function readTriggerStatements(session: Session, catalog: Names): Promise<ReadonlyMap<string, string>> {
  const all = new Map<string, string>();
  for (const { database, name } of catalog.triggers) {
    const trigger = `${quoteName(database)}.${quoteName(name)}`;
    const [row] = await session.dialect.showAll(session, [`SHOW CREATE TRIGGER ${trigger}`]);
    all.set(JSON.stringify([database, name]), row?.['SQL Original Statement'] ?? '');
  }
  return all;
}

function collationsOf(catalog: Names): ReadonlyMap<string, ReadonlyMap<string, ReadonlyMap<string, string>>> {
  const databases = new Map<string, Map<string, Map<string, string>>>();
  for (const { database, table, name, collation } of catalog.columns) {
    if (collation === null) continue;
    const tables = databases.get(database) ?? new Map<string, Map<string, string>>();
    const columns = tables.get(table) ?? new Map<string, string>();
    databases.set(database, tables.set(table, columns.set(name, collation)));
  }
  return databases;
}

type Parts = readonly [parts: Readonly<Record<string, string>>, besides: Readonly<Record<string, string>>];

/** Without `body` nothing is known about the object, because it is hidden from the user. */
function defined(rows: readonly Row[], body: string, parts: (row: Row) => Parts): Record<string, Definition> {
  return Object.fromEntries(
    rows
      .filter((row) => typeof row[body] === 'string')
      .map((row) => {
        const [hashed, besides] = parts(row);
        return [text(row, 'name'), definitionOf(new Map(Object.entries(hashed)), { besides })];
      }),
  );
}

function view(row: Row): Parts {
  const parts = {
    definition: comparableView(text(row, 'view_definition')),
    'check option': text(row, 'check_option'),
    security: text(row, 'security_type'),
    algorithm: text(row, 'algorithm'),
  };
  return [parts, { definer: text(row, 'definer') }];
}

/**
 * Names of tables and databases are in quotes here, and a target may keep them in lower case. A server stores `FROM a, b`
 * as `from a join b`, and shows and dumps it as `from (a join b)`, which a restore then stores. So parentheses do not
 * count, except in names and texts. MariaDB 10.2 stores `-0e0` as `-0`, and a restore then stores 0.
 */
function comparableView(definition: string): string {
  return definition.replace(/`(?:[^`]|``)*`|'(?:[^'\\]|\\.|'')*'|[()]|(?<=[\s(,])-0(?![\w.])/gs, (part) => {
    if (part.startsWith('`')) return part.toLowerCase();
    if (part === '-0') return '0';
    return part.startsWith("'") ? part : '';
  });
}

function groupParameters(rows: readonly Row[]): ReadonlyMap<string, string> {
  const grouped = new Map<string, string>();
  for (const row of rows) {
    const one = `${text(row, 'mode')} ${text(row, 'parameter')} ${text(row, 'type')}`;
    const before = grouped.get(routineKey(row));
    grouped.set(routineKey(row), before === undefined ? one : `${before}, ${one}`);
  }
  return grouped;
}

function routineKey(row: Row): string {
  return JSON.stringify([row['db'], row['kind'], row['name']]);
}

const routine =
  (parametersOf: ReadonlyMap<string, string>) =>
  (row: Row): Parts => {
    const parts = {
      body: text(row, 'routine_definition'),
      parameters: parametersOf.get(routineKey(row)) ?? '',
      returns: text(row, 'dtd_identifier'),
      deterministic: text(row, 'is_deterministic'),
      'data access': text(row, 'sql_data_access'),
      security: text(row, 'security_type'),
      'sql mode': text(row, 'sql_mode'),
      comment: text(row, 'routine_comment'),
    };
    return [parts, { definer: text(row, 'definer') }];
  };

function trigger(row: Row): Parts {
  const parts = {
    timing: `${text(row, 'action_timing')} ${text(row, 'event_manipulation')}`,
    table: text(row, 'event_object_table').toLowerCase(),
    order: text(row, 'action_order'),
    body: text(row, 'action_statement'),
    'sql mode': text(row, 'sql_mode'),
  };
  return [parts, { definer: text(row, 'definer') }];
}

function event(row: Row): Parts {
  const { execute_at: at, interval_value: value, interval_field: field, starts, ends } = row;
  const parts = {
    body: text(row, 'event_definition'),
    schedule: at === null ? `EVERY ${value} ${field} STARTS ${starts} ENDS ${ends}` : `AT ${at}`,
    completion: text(row, 'on_completion'),
    comment: text(row, 'event_comment'),
    'sql mode': text(row, 'sql_mode'),
    'time zone': text(row, 'time_zone'),
  };
  return [parts, { definer: text(row, 'definer'), status: text(row, 'status') }];
}

function text(row: Row, column: string): string {
  return row[column] ?? '';
}
