import type { Definition, Inventory, InventoryDatabase, InventoryTable } from '../engines/inventory.js';
import type { FoundDifference } from '../engines/inventoryDifference.js';
import { definitionNamed } from '../engines/definitionNamed.js';
import { findingByName } from './findingByName.js';

export type Comparison = {
  readonly differences: readonly FoundDifference[];
  /** The reason why definitions could not be compared, as a sentence for a person. Null: they were compared. */
  readonly notCompared: string | null;
};

/**
 * Finds every expected object that is missing or different. Does not compare estimates, or databases and objects that
 * are not expected. If the target folds names, a name in lower case matches every spelling that does not exist itself.
 */
export function compareInventories(expected: Inventory, actual: Inventory): Comparison {
  const notCompared = whyNotCompared(expected, actual);
  const find = findingByName(actual.databases, actual);
  const how = { nameCase: actual.nameCase ?? 'FOLDED', definitions: notCompared === null };
  const differences = expected.databases.flatMap((database): readonly FoundDifference[] => {
    const about = { database: database.name };
    const found = find(database.name);
    if (found === undefined) {
      return [{ ...about, what: 'DATABASE', path: database.name, expected: 'database', actual: null }];
    }
    return [
      ...Object.entries(database.properties).flatMap(([part, value]) =>
        differing(value, found.properties[part] ?? null, {
          ...about,
          what: 'PROPERTY',
          part,
          path: `${database.name}.${part}`,
        }),
      ),
      ...compareTables(database, found, how),
      ...compareObjects(database, found, how),
    ];
  });
  return { differences, notCompared };
}

function whyNotCompared(expected: Inventory, actual: Inventory): string | null {
  const [one, other] = [expected.definitionsTaken, actual.definitionsTaken];
  if (one === undefined) return 'The definitions were not compared: the backup does not record them.';
  if (other === undefined)
    return 'The definitions were not compared, because the definitions of the target were not read.';
  if (one.server !== other.server) {
    return `The definitions were compared by names of columns alone: the backup is of a server of ${one.server}, and the target of ${other.server}.`;
  }
  if (one.normalisation === other.normalisation) return null;
  return 'The definitions were compared by names of columns alone: another version of Stowage took the backup.';
}

type How = { readonly nameCase: NonNullable<Inventory['nameCase']>; readonly definitions: boolean };

function compareTables(database: InventoryDatabase, found: InventoryDatabase, how: How): readonly FoundDifference[] {
  const find = findingByName(found.tables, how);
  return database.tables.flatMap((table): readonly FoundDifference[] => {
    const { name } = table;
    const path = `${database.name}.tables.${name}`;
    const about = { database: database.name, kind: 'tables', name };
    const other = find(name);
    if (other === undefined) {
      const unsure = table.rows === null && table.rowsEstimated;
      return unsure ? [] : [{ ...about, what: 'TABLE', path, expected: 'table', actual: null }];
    }
    const counted = table.rows !== null && !table.rowsEstimated && !other.rowsEstimated;
    return [
      ...(counted
        ? differing(asText(table.rows), asText(other.rows), { ...about, what: 'ROWS', path: `${path}.rows` })
        : []),
      ...fields.flatMap((part) => {
        const [one, two] = [table[part], other[part]];
        if (one === undefined || two === undefined) return [];
        return differing(one, two, { ...about, what: 'FIELD', part, path: `${path}.${part}` });
      }),
      ...compareDefinitions(table.definition, other.definition, { ...about, path }, how.definitions),
    ];
  });
}

const fields = ['type', 'engine', 'rowFormat', 'collation'] as const satisfies readonly (keyof InventoryTable)[];

function compareObjects(database: InventoryDatabase, found: InventoryDatabase, how: How): readonly FoundDifference[] {
  return Object.entries(database.objects).flatMap(([kind, names]) => {
    const find = findingByName(
      (found.objects[kind] ?? []).map((name) => ({ name })),
      how,
    );
    const [own, others] = [database.definitions?.[kind], found.definitions?.[kind]];
    return names.flatMap((name): readonly FoundDifference[] => {
      const path = `${database.name}.${kind}.${name}`;
      const about = { database: database.name, kind, name };
      const other = find(name);
      if (other === undefined) return [{ ...about, what: 'OBJECT', path, expected: name, actual: null }];
      if (!how.definitions) return [];
      const [one, two] = [definitionNamed(own, name), definitionNamed(others, other.name)];
      return compareDefinitions(one, two, { ...about, path }, true);
    });
  });
}

/** See `Definition`: only these parts have the same name in every version of a server. */
const partsOfAnyVersion = /^column /;

function compareDefinitions(
  one: Definition | undefined,
  other: Definition | undefined,
  about: Pick<FoundDifference, 'database' | 'kind' | 'name' | 'path'>,
  inFull: boolean,
): readonly FoundDifference[] {
  if (one === undefined || other === undefined) return [];
  const what = 'DEFINITION';
  if (one.parts === undefined || other.parts === undefined) {
    return inFull ? differing(one.hash, other.hash, { ...about, what, path: `${about.path}.definition` }) : [];
  }
  const [parts, others] = [one.parts, other.parts];
  const names = [...new Set([...Object.keys(parts), ...(inFull ? Object.keys(others) : [])])];
  const found = names.flatMap((part) => {
    const path = `${about.path}.${part}`;
    if (inFull) return differing(parts[part] ?? null, others[part] ?? null, { ...about, what, part, path });
    if (!partsOfAnyVersion.test(part) || others[part] !== undefined) return [];
    return differing(parts[part] ?? null, null, { ...about, what, part, path });
  });
  // The order of columns is only in the hash.
  if (found.length > 0 || !inFull) return found;
  return differing(one.hash, other.hash, { ...about, what, path: `${about.path}.definition` });
}

function differing(
  expected: string | null,
  actual: string | null,
  about: Omit<FoundDifference, 'expected' | 'actual'>,
): readonly FoundDifference[] {
  return expected === actual ? [] : [{ ...about, expected, actual }];
}

function asText(rows: number | null): string | null {
  return rows === null ? null : String(rows);
}
