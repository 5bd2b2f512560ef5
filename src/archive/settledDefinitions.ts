import type { Definition, Inventory } from '../engines/inventory.js';

/**
 * Keeps the definitions that are the same before and after a dump. If an object was redefined meanwhile, the dump
 * contains the old or the new definition, so a restore is not compared with it.
 */
export function keepSettledDefinitions(
  inventory: Inventory,
  before: Inventory,
  after: Inventory | undefined,
): { readonly inventory: Inventory; readonly redefined: readonly string[] } {
  const redefined: string[] = [];
  const [earlier, later] = [
    definitionsIn(before),
    after === undefined ? new Map<string, Definition>() : definitionsIn(after),
  ];
  const settled = (kind: string, database: string, name: string): Definition | undefined => {
    const key = JSON.stringify([database, kind, name]);
    const [first, second] = [earlier.get(key), later.get(key)];
    if (first === undefined || second === undefined) return first;
    if (first.hash !== second.hash) {
      redefined.push(`definition of ${kind} ${database}.${name}`);
      return undefined;
    }
    return withoutMoved(first, second);
  };
  const databases = inventory.databases.map((database) => ({
    ...database,
    tables: database.tables.map((table) => {
      const { definition: _definition, ...fields } = table;
      const definition = settled('tables', database.name, table.name);
      return { ...fields, ...(definition === undefined ? {} : { definition }) };
    }),
    ...(database.definitions === undefined
      ? {}
      : {
          definitions: Object.fromEntries(
            Object.entries(database.definitions).map(([kind, all]) => [
              kind,
              Object.fromEntries(
                Object.keys(all).flatMap((name) => {
                  const definition = settled(kind, database.name, name);
                  return definition === undefined ? [] : [[name, definition]];
                }),
              ),
            ]),
          ),
        }),
  }));
  return { inventory: { ...inventory, databases }, redefined };
}

/** Parts that the hash does not cover may change, for example the next value of a sequence. */
function withoutMoved(before: Definition, after: Definition): Definition {
  if (before.parts === undefined || after.parts === undefined) return { hash: before.hash };
  const later = after.parts;
  return {
    hash: before.hash,
    parts: Object.fromEntries(Object.entries(before.parts).filter(([name, text]) => later[name] === text)),
  };
}

function definitionsIn({ databases }: Inventory): ReadonlyMap<string, Definition> {
  return new Map(
    databases.flatMap(({ name: database, tables, definitions = {} }) => [
      ...tables.flatMap(({ name, definition }): [string, Definition][] =>
        definition === undefined ? [] : [[JSON.stringify([database, 'tables', name]), definition]],
      ),
      ...Object.entries(definitions).flatMap(([kind, all]) =>
        Object.entries(all).map(([name, each]): [string, Definition] => [JSON.stringify([database, kind, name]), each]),
      ),
    ]),
  );
}
