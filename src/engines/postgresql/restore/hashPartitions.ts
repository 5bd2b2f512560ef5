import type { Inventory, InventoryTable } from '../../inventory.js';
import { qualifiedName } from '../catalog/names.js';

/**
 * True if the table is below a table with hash partitions, and all partitions of the tree together have the rows of the
 * backup. pg_dump restores such rows through the topmost table if the key is an enum: the hash of an enum depends on numbers
 * that the target assigns anew, so the rows are distributed in another way. Also true if a partition of the target was not
 * counted.
 */
export function isOtherDistribution(
  database: string,
  name: string,
  of: { readonly expected: Inventory; readonly actual: Inventory },
): boolean {
  const expected = tablesOf(of.expected, database);
  const tree = treeOf(expected, name);
  if (!tree.isHashed) return false;
  // A tree may have thousands of partitions that differ.
  const known = verdicts.get(of.actual) ?? new Map<string, boolean>();
  verdicts.set(of.actual, known);
  const key = JSON.stringify([database, tree.top]);
  const verdict = known.get(key) ?? hasAllRows(tree.top, expected, tablesOf(of.actual, database));
  known.set(key, verdict);
  return verdict;
}

const verdicts = new WeakMap<Inventory, Map<string, boolean>>();

function hasAllRows(top: string, expected: Tables, actual: Tables): boolean {
  let [before, after] = [0, 0];
  for (const table of expected.values()) {
    if (table.rows === null || treeOf(expected, table.name).top !== top) continue;
    const other = actual.get(table.name);
    if (other?.rowsEstimated === true) return true;
    before += table.rows;
    after += other?.rows ?? 0;
  }
  return after >= before;
}

type Tables = ReadonlyMap<string, InventoryTable>;

function tablesOf({ databases }: Inventory, database: string): Tables {
  return new Map((databases.find(({ name }) => name === database)?.tables ?? []).map((table) => [table.name, table]));
}

/** The topmost table above a partition, and whether one of those above it distributes by hash. */
function treeOf(tables: Tables, name: string): { readonly top: string; readonly isHashed: boolean } {
  let [top, isHashed] = [name, false];
  for (let depth = 0; depth < 100; depth += 1) {
    const parent = parentOf(tables.get(top));
    const options = parent === undefined ? undefined : tables.get(parent)?.definition?.parts?.['options'];
    if (parent === undefined || options === undefined || !/\bby (?:HASH|LIST|RANGE) /.test(options)) break;
    isHashed ||= /\bby HASH /.test(options);
    top = parent;
  }
  return { top, isHashed };
}

const identifier = '(?:"((?:[^"]|"")+)"|([^".]+))';
const qualified = new RegExp(`^${identifier}\\.${identifier}$`);

/** A partition inherits from one table, which the definition names as PostgreSQL writes it. */
function parentOf(table: InventoryTable | undefined): string | undefined {
  const found = qualified.exec(table?.definition?.parts?.['inherits'] ?? '');
  if (found === null) return undefined;
  const [, quotedSchema, schema = '', quotedName, name = ''] = found;
  return qualifiedName(quotedSchema?.replaceAll('""', '"') ?? schema, quotedName?.replaceAll('""', '"') ?? name);
}
