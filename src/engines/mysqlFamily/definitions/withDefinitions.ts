import type { Definition, Inventory, InventoryDatabase } from '../../inventory.js';
import type { CatalogTable, Names } from '../catalog/catalog.js';
import { distribution } from '../tools/distribution.js';
import { currentName } from '../restoreChecks/target.js';
import type { Session } from '../session/session.js';
import { definitionOf, mayHoldPassword } from './definition.js';
import { needsOf } from './needs.js';
import type { Definitions } from './readDefinitions.js';

/**
 * An inventory is part of an event and of backup.json. If the texts are larger than this, only the hashes of tables are
 * kept.
 */
const mostPartsChars = 4 * 1024 * 1024;

/**
 * Adds the definitions of its objects to the inventory. `others` are the databases of the server that are not dumped.
 * With `others`, this also adds the requirements for a target.
 */
export async function withDefinitions(
  session: Session,
  inventory: Inventory,
  catalog: Names,
  definitions: Definitions,
  others: readonly string[] | undefined,
): Promise<Inventory> {
  const [row] = await session.query('SELECT @@lower_case_table_names AS folded, VERSION() AS version');
  const folded = row?.['folded'] !== '0';
  const historyDumped = session.dialect.releaseOf(distribution(inventory.toolVersion)?.join('.') ?? '') >= 1011;
  const needs = others === undefined ? undefined : needsOf(catalog, definitions, { others, folded, historyDumped });
  const budget = { left: mostPartsChars };
  const tables = new Map(catalog.tables.map((table) => [JSON.stringify([table.database, table.name]), table]));
  const databases = inventory.databases.map((database): InventoryDatabase => {
    const own = definitions.get(database.name);
    return {
      ...database,
      tables: database.tables.map((table) => {
        const known = tables.get(JSON.stringify([database.name, table.name]));
        const { rowFormat, collation }: Partial<CatalogTable> = known ?? {};
        const parts = own?.tables.get(table.name);
        return {
          ...table,
          ...present({
            type: known?.type,
            engine: known?.engine,
            rowFormat,
            collation: typeof collation === 'string' ? currentName(collation) : undefined,
          }),
          ...(parts === undefined
            ? {}
            : { definition: within(budget, definitionOf(parts.parts, { isSecret: mayHoldPassword(known?.engine) })) }),
        };
      }),
      definitions: own?.objects ?? {},
      ...(needs === undefined ? {} : { needs: needs.get(database.name) ?? {} }),
    };
  });
  return {
    ...inventory,
    databases,
    nameCase: folded ? 'FOLDED' : 'DISTINCT',
    definitionsTaken: { normalisation: session.dialect.normalisation, server: majorMinor(row?.['version'] ?? '') },
  };
}

/** The release series, for example `10.11`. All servers of a series write a definition in the same way. */
export function majorMinor(version: string): string {
  return /^\d+\.\d+/.exec(version)?.[0] ?? version;
}

function within(budget: { left: number }, definition: Definition): Definition {
  budget.left -= JSON.stringify(definition.parts).length;
  return budget.left < 0 ? { hash: definition.hash } : definition;
}

function present(fields: Readonly<Record<string, string | null | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(fields).filter(
      (field): field is [string, string] => typeof field[1] === 'string' && field[1] !== '',
    ),
  );
}
