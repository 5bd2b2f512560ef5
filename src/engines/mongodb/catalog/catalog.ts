import { StowageError } from '../../../errors.js';
import { readAccounts, type Account } from '../accounts/readAccounts.js';
import { listIn, numberIn } from '../session/reply.js';
import { serverErrorNumber, type Session } from '../session/session.js';

/** A collection, a time series or a view, with the text of each of its options. */
export type Collection = {
  readonly database: string;
  readonly name: string;
  readonly type: 'collection' | 'timeseries' | 'view';
  readonly options: Readonly<Record<string, string>>;
};

export type Index = {
  readonly database: string;
  readonly collection: string;
  readonly name: string;
  /** The text of each field, for example `key`, `unique`, `collation`. */
  readonly definition: Readonly<Record<string, string>>;
};

export type Catalog = {
  readonly databases: readonly string[];
  /** Without the collections that mongodump never writes. */
  readonly collections: readonly Collection[];
  readonly indexes: readonly Index[];
  /** Collections of customers that mongodump leaves out: `system.` and names with a dollar. */
  readonly leftOut: readonly Collection[];
  /** The accounts that these databases define. */
  readonly accounts: readonly Account[];
  /** Whether the user may see users and roles. */
  readonly seesAccounts: boolean;
};

const databasesOfSystem = new Set(['admin', 'config', 'local']);
/** Databases that only MongoDB's own services use. */
const internalPrefix = '__mdb_internal_';

/** The databases that are not of the system, and that the user may see. */
export async function listDatabases(session: Session): Promise<readonly string[]> {
  const reply = await session.command('admin', { listDatabases: 1, nameOnly: true });
  return listIn(reply, 'databases')
    .map(({ name }) => String(name))
    .filter((name) => !databasesOfSystem.has(name) && !name.startsWith(internalPrefix))
    .sort();
}

/** Throws EMPTY_DUMP if nothing is to be backed up, or if a database that the service names does not exist. */
export function selectDatabases(listed: readonly string[], wanted: readonly string[] | null): readonly string[] {
  if (wanted === null) {
    if (listed.length > 0) return listed;
    throw new StowageError('EMPTY_DUMP', 'The user sees no database except those of the system.', {
      help: 'Check the rights of the user: for all databases it needs the role backup of the database admin.',
    });
  }
  const present = new Set(listed);
  const missing = wanted.filter((name) => !present.has(name));
  if (missing.length === 0) return wanted;
  const list = missing.map((name) => `'${name}'`).join(', ');
  throw new StowageError('EMPTY_DUMP', `The server has no database ${list}, or the user may not see it.`, {
    help: 'MongoDB creates a database with its first collection. Correct the databases of the service, or give the user the role read on them.',
    details: { missing },
  });
}

/** Reads collections, indexes and accounts. A database that was dropped meanwhile has none. */
export async function readCatalog(session: Session, databases: readonly string[]): Promise<Catalog> {
  const all: Collection[] = [];
  const indexes: Index[] = [];
  for (const database of databases) {
    const collections = await readCollections(session, database);
    all.push(...collections);
    indexes.push(
      ...(await readIndexes(
        session,
        database,
        collections.filter(({ type }) => type !== 'view'),
      )),
    );
  }
  const accounts = await readAccounts(session, { databases, hashes: false });
  return {
    databases,
    collections: all.filter((each) => !isInternal(each) && !isLeftOut(each)),
    indexes: indexes.filter(({ collection }) => !/^system\.(?!js$)/.test(collection)),
    leftOut: all.filter((each) => !isInternal(each) && isLeftOut(each)),
    accounts: accounts?.filter(({ database }) => databases.includes(database)) ?? [],
    seesAccounts: accounts !== undefined,
  };
}

/** Parts of views, time series and the profiler. The server creates them itself. */
function isInternal({ name }: Collection): boolean {
  return /^system\.(?:views$|buckets\.|profile$|indexes$|namespaces$|resharding\.|drop\.)/.test(name);
}

/** mongodump leaves out these names, without a message. */
function isLeftOut({ name }: Collection): boolean {
  return (name.startsWith('system.') && name !== 'system.js') || name.includes('$');
}

export async function readCollections(session: Session, database: string): Promise<readonly Collection[]> {
  const rows = await session.ask('COLLECTIONS', [database]);
  return rows.map((row) => {
    const type = row['type'];
    return {
      database,
      name: row['name'] ?? '',
      type: type === 'view' || type === 'timeseries' ? type : 'collection',
      options: textsOf(row['options']),
    };
  });
}

/** So many collections are in one question. */
const batch = 500;

async function readIndexes(
  session: Session,
  database: string,
  collections: readonly Collection[],
): Promise<readonly Index[]> {
  const found: Index[] = [];
  const names = collections.map(({ name }) => name);
  for (let place = 0; place < names.length; place += batch) {
    const rows = await session.ask('INDEXES', [database, ...names.slice(place, place + batch)]);
    for (const row of rows) {
      found.push({
        database,
        ...{ collection: row['collection'] ?? '', name: row['name'] ?? '', definition: textsOf(row['definition']) },
      });
    }
  }
  return found;
}

/** The number of documents of each collection that was counted, by name. */
export async function countCollections(
  session: Session,
  database: string,
  names: readonly string[],
  how: 'EXACT' | 'FAST',
  limitMs: number,
): Promise<ReadonlyMap<string, number>> {
  const until = performance.now() + limitMs;
  const counts = new Map<string, number>();
  for (let place = 0; place < names.length; place += batch) {
    const leftMs = Math.floor(until - performance.now());
    if (leftMs <= 0) break;
    const wanted = names.slice(place, place + batch);
    const rows = await session.ask('COUNTS', [database, how, String(leftMs), ...wanted], {
      timeoutMs: leftMs + 30_000,
    });
    for (const row of rows) counts.set(row['collection'] ?? '', Number(row['rows']));
  }
  return counts;
}

/** The size of the documents of a database in bytes, before compression. Null: not reported. */
export async function sizeOf(session: Session, database: string): Promise<number | null> {
  const stats = await session.command(database, { dbStats: 1 }).catch((error: unknown) => {
    if (serverErrorNumber(error) === undefined) throw error;
    return {};
  });
  return numberIn(stats, 'dataSize') ?? null;
}

function textsOf(json: string | null | undefined): Readonly<Record<string, string>> {
  return JSON.parse(json ?? '{}') as Readonly<Record<string, string>>;
}
