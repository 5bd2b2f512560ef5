import { createHash } from 'node:crypto';
import type { Definition, Inventory, InventoryDatabase, InventoryTable } from '../../inventory.js';
import type { MongodbServer } from '../session/server.js';
import type { Account } from '../accounts/readAccounts.js';
import type { Catalog, Collection, Index } from './catalog.js';

/** Counts of one database, by the name of the collection. */
export type Counts = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** Raise it when the texts of definitions change. */
const normalisation = 1;

/** The need of a database in the inventory whose collections delete documents by themselves. */
export const expiringNeed = 'deletes old documents';

export function listInventory(
  catalog: Catalog,
  server: MongodbServer,
  toolVersion: string,
  figures: {
    readonly counts: Counts;
    readonly areExact: boolean;
    readonly sizes: ReadonlyMap<string, number | null>;
  },
): Inventory {
  const sizes = [...figures.sizes.values()];
  const [collections, indexes, accounts] = [
    byDatabase(catalog.collections),
    byDatabase(catalog.indexes),
    byDatabase(catalog.accounts),
  ];
  return {
    serverVersion: server.version,
    toolVersion,
    sizeBytes: sizes.some((size) => size !== null) ? sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0) : null,
    nameCase: 'DISTINCT',
    definitionsTaken: { normalisation, server: server.release },
    databases: catalog.databases.map((name) =>
      listDatabase(
        name,
        { collections: collections(name), indexes: indexes(name), accounts: accounts(name) },
        { counts: figures.counts.get(name) ?? new Map<string, number>(), areExact: figures.areExact },
      ),
    ),
  };
}

function listDatabase(
  name: string,
  found: {
    readonly collections: readonly Collection[];
    readonly indexes: readonly Index[];
    readonly accounts: readonly Account[];
  },
  { counts, areExact }: { readonly counts: ReadonlyMap<string, number>; readonly areExact: boolean },
): InventoryDatabase {
  const indexes = grouped(found.indexes, ({ collection }) => collection);
  const views = found.collections.filter(({ type }) => type === 'view');
  const named = (kind: Account['kind']) => found.accounts.filter((account) => account.kind === kind);
  const expiring = found.collections.filter((each) => isExpiring(each, indexes.get(each.name) ?? []));
  return {
    name,
    tables: found.collections
      .filter(({ type }) => type !== 'view')
      .map((each) => listTable(each, indexes.get(each.name) ?? [], counts.get(each.name), areExact)),
    objects: {
      views: views.map((each) => each.name),
      users: named('users').map((each) => each.name),
      roles: named('roles').map((each) => each.name),
    },
    properties: {},
    definitions: {
      views: Object.fromEntries(views.map((view) => [view.name, definitionOf(optionParts(view))])),
      users: accountDefinitions(named('users')),
      roles: accountDefinitions(named('roles')),
    },
    ...(expiring.length === 0 ? {} : { needs: { [expiringNeed]: expiring.map((each) => each.name) } }),
  };
}

function listTable(
  collection: Collection,
  indexes: readonly Index[],
  rows: number | undefined,
  areExact: boolean,
): InventoryTable {
  const { name, type } = collection;
  const parts = { ...optionParts(collection), ...indexParts(indexes) };
  return {
    name,
    // The archive holds the buckets of a time series, whose number has no meaning.
    ...(type === 'timeseries'
      ? { rows: null, rowsEstimated: false }
      : { rows: rows ?? null, rowsEstimated: !areExact || rows === undefined }),
    sizeBytes: null,
    type,
    definition: definitionOf(parts),
  };
}

function optionParts({ options }: Collection): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(options).map(([option, text]) => [`option ${option}`, text]));
}

function indexParts(indexes: readonly Index[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    indexes.map(({ name, definition }) => [
      `index ${name}`,
      Object.entries(definition)
        .map((pair) => pair.join(': '))
        .join(', '),
    ]),
  );
}

function accountDefinitions(accounts: readonly Account[]): Readonly<Record<string, Definition>> {
  return Object.fromEntries(accounts.map((account) => [account.name, definitionOf({ rights: rightsOf(account) })]));
}

function rightsOf({ kind, document: { roles, privileges } }: Account): string {
  return JSON.stringify(kind === 'users' ? roles : { roles, privileges });
}

function definitionOf(parts: Readonly<Record<string, string>>): Definition {
  const sorted = Object.entries(parts).sort(([one], [other]) => (one < other ? -1 : 1));
  return { hash: createHash('sha256').update(JSON.stringify(sorted)).digest('hex'), parts };
}

/** A server deletes documents that are older than a TTL index or the option of a collection allows. */
function isExpiring({ options }: Collection, indexes: readonly Index[]): boolean {
  return 'expireAfterSeconds' in options || indexes.some(({ definition }) => 'expireAfterSeconds' in definition);
}

function byDatabase<T extends { readonly database: string }>(all: readonly T[]): (name: string) => readonly T[] {
  const groups = grouped(all, ({ database }) => database);
  return (name) => groups.get(name) ?? [];
}

function grouped<T>(all: readonly T[], keyOf: (one: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const group = groups.get(keyOf(one));
    if (group === undefined) groups.set(keyOf(one), [one]);
    else group.push(one);
  }
  return groups;
}
