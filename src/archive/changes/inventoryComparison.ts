import { definitionNamed } from '../../engines/definitionNamed.js';
import type { Inventory } from '../../engines/inventory.js';
import type { ChangedObject } from './backupChanges.js';

/** One object of an inventory: a database, a table, or an object of another kind. */
export type InventoryItem = {
  readonly database: string;
  /** See `ChangedObject`. */
  readonly kind: string;
  readonly name: string;
  readonly rows: number | null;
  readonly rowsEstimated: boolean;
  readonly definitionHash: string | null;
};

/** What differs between two inventories. */
export type InventoryChanges = {
  readonly objects: readonly ChangedObject[];
  /** Of all tables whose number of rows is known, estimates included. */
  readonly rowsBefore: number;
  readonly rowsAfter: number;
  readonly rowsEstimated: boolean;
  /**
   * Of the tables that were counted exactly in both inventories, or exist in only one of them, without the excepted
   * tables.
   */
  readonly exactBefore: number;
  readonly exactAfter: number;
};

/** Lists of an inventory that describe tables and programs again, and are no objects of their own. */
const describing = new Set(['definers', 'systemVersionedTables', 'transactionPreciseTables']);

/** An estimate may be wrong by more than this, so a smaller difference to an estimate is no change. */
const smallestEstimatedShare = 0.1;

/**
 * Compares an inventory with an earlier one, whose objects are added one by one in any order. So the earlier inventory
 * is never in memory as a whole.
 */
export class InventoryComparison {
  readonly #added: Map<string, InventoryItem>;
  readonly #changed: ChangedObject[] = [];
  readonly #totals = { rowsBefore: 0, rowsAfter: 0, rowsEstimated: false, exactBefore: 0, exactAfter: 0 };

  constructor(
    now: Inventory,
    private readonly options: {
      /** Whether the definitions of both inventories were read in the same way. */
      readonly definitions: boolean;
      /** Tables, as `database.table`, that do not count for `exactBefore` and `exactAfter`. */
      readonly except: ReadonlySet<string>;
    },
  ) {
    this.#added = new Map(itemsOf(now).map((item) => [keyOf(item), item]));
  }

  /** Adds an object of the earlier inventory. */
  add(before: InventoryItem): void {
    if (describing.has(before.kind)) return;
    const key = keyOf(before);
    const after = this.#added.get(key);
    this.#added.delete(key);
    this.#count(before, after);
    const changed = after === undefined ? goneObject(before) : this.#difference(before, after);
    if (changed !== undefined) this.#changed.push(changed);
  }

  /** Call it once, when all objects of the earlier inventory were added: the other objects are new. */
  changes(): InventoryChanges {
    for (const item of this.#added.values()) {
      this.#count(undefined, item);
      this.#changed.push({ ...plain(item), change: 'NEW', rowsBefore: null, rowsAfter: item.rows });
    }
    return { objects: this.#changed, ...this.#totals };
  }

  #difference(before: InventoryItem, after: InventoryItem): ChangedObject | undefined {
    const definitionChanged =
      this.options.definitions &&
      before.definitionHash !== null &&
      after.definitionHash !== null &&
      before.definitionHash !== after.definitionHash;
    const rowsEstimated = before.rowsEstimated || after.rowsEstimated;
    const rowsChanged = differ(before.rows, after.rows, rowsEstimated);
    if (!definitionChanged && !rowsChanged) return undefined;
    return {
      ...plain(before),
      change: 'CHANGED',
      rowsBefore: before.rows,
      rowsAfter: after.rows,
      rowsEstimated,
      definitionChanged,
    };
  }

  #count(before: InventoryItem | undefined, after: InventoryItem | undefined): void {
    const [rowsBefore, rowsAfter] = [before?.rows ?? 0, after?.rows ?? 0];
    this.#totals.rowsBefore += rowsBefore;
    this.#totals.rowsAfter += rowsAfter;
    const item = before ?? after;
    if (before?.rowsEstimated === true || after?.rowsEstimated === true) {
      this.#totals.rowsEstimated = true;
    } else if (item !== undefined && !this.options.except.has(`${item.database}.${item.name}`)) {
      this.#totals.exactBefore += rowsBefore;
      this.#totals.exactAfter += rowsAfter;
    }
  }
}

/** Databases, their tables and their other objects. */
function itemsOf({ databases }: Inventory): readonly InventoryItem[] {
  const other = { rows: null, rowsEstimated: false };
  return databases.flatMap(({ name: database, tables, objects, definitions }): InventoryItem[] => [
    { database, kind: 'database', name: database, ...other, definitionHash: null },
    ...tables.map(({ name, rows, rowsEstimated, definition }) => ({
      ...{ database, kind: 'tables', name, rows, rowsEstimated },
      definitionHash: definition?.hash ?? null,
    })),
    ...Object.entries(objects)
      .filter(([kind]) => !describing.has(kind))
      .flatMap(([kind, names]) =>
        names.map((name) => ({
          ...{ database, kind, name, ...other },
          definitionHash: definitionNamed(definitions?.[kind], name)?.hash ?? null,
        })),
      ),
  ]);
}

function goneObject(before: InventoryItem): ChangedObject {
  return { ...plain(before), change: 'GONE', rowsBefore: before.rows, rowsAfter: null };
}

function plain({ database, kind, name, rowsEstimated }: InventoryItem) {
  return { database, kind, name, rowsEstimated, definitionChanged: false };
}

function differ(before: number | null, after: number | null, rowsEstimated: boolean): boolean {
  if (before === null || after === null || before === after) return false;
  return !rowsEstimated || Math.abs(after - before) >= smallestEstimatedShare * Math.max(before, after);
}

function keyOf({ database, kind, name }: InventoryItem): string {
  return JSON.stringify([database, kind, name]);
}
