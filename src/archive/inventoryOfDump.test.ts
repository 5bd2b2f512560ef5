import { describe, expect, test } from '@jest/globals';
import type { Inventory, InventoryTable } from '../engines/inventory.js';
import type { DumpedTable } from '../engines/runningDump.js';
import { compareInventories } from './compareInventories.js';
import { inventoryOfDump } from './inventoryOfDump.js';

function inventory(tables: readonly InventoryTable[], views: readonly string[] = ['v']): Inventory {
  const database = { name: 'db', tables, objects: { views }, properties: { collation: 'utf8mb4_bin' } };
  return { serverVersion: '10.11', toolVersion: '10.11', sizeBytes: 0, databases: [database] };
}

const counted = (name: string, rows: number): InventoryTable => ({ name, rows, rowsEstimated: false, sizeBytes: 1 });

/** One part that holds everything. */
const held = (...tables: readonly DumpedTable[]) => [{ spec: {}, tables, objects: undefined }];

const dumped = (name: string, rows: number | null): DumpedTable => ({
  ...{ database: 'db', name, rows },
  ...{ sizeBytes: 10, longestStatementBytes: 7 },
});

describe('The inventory of a dump', () => {
  test('has the tables and rows of the dump, and names objects that were created or dropped', () => {
    const before = inventory([counted('still', 3), counted('grows', 3), counted('goes', 1)], ['v', 'w']);
    const after = inventory([counted('still', 3), counted('grows', 4), counted('comes', 1)], ['v']);
    const inDump = [dumped('still', 3), dumped('grows', 5), dumped('between', 2)];
    const { inventory: both, changed } = inventoryOfDump(before, after, held(...inDump));
    expect(both.databases[0]).toMatchObject({
      tables: [
        counted('still', 3),
        counted('grows', 5),
        { name: 'between', rows: 2, rowsEstimated: false, sizeBytes: null },
      ],
      objects: { views: ['v'] },
    });
    expect(changed).toEqual(['table db.goes', 'table db.comes', 'views db.w']);
  });

  test('stores no times', () => {
    const before = inventory([{ ...counted('t', 3), changedAt: '2026-03-01 05:00:00', createdAt: null }]);
    expect(inventoryOfDump(before, before, held(dumped('t', 3))).inventory.databases[0]?.tables).toEqual([
      counted('t', 3),
    ]);
  });

  test('keeps the definitions that are the same before and after, and names the others', () => {
    const defined = (name: string, hash: string): InventoryTable => ({
      ...counted(name, 1),
      engine: 'InnoDB',
      definition: { hash },
    });
    const [before, after] = [
      inventory([defined('still', 'a'), defined('altered', 'a')]),
      inventory([defined('still', 'a'), defined('altered', 'b')]),
    ];
    const { inventory: both, changed } = inventoryOfDump(before, after, held(dumped('still', 1), dumped('altered', 1)));
    expect(both.databases[0]?.tables).toEqual([defined('still', 'a'), { ...counted('altered', 1), engine: 'InnoDB' }]);
    expect(changed).toEqual(['definition of tables db.altered']);
  });

  test('requires the next value of a sequence only if it did not change during the dump', () => {
    const [before, moved] = ['5', '8'].map((next): Inventory => {
      const one = inventory([]);
      const definitions = { sequences: { s: { hash: 'a', parts: { definition: 'x', next } } } };
      return { ...one, databases: one.databases.map((each) => ({ ...each, definitions })) };
    });
    const keptDefinitions = (after: Inventory) =>
      inventoryOfDump(before!, after, held()).inventory.databases[0]?.definitions?.['sequences']?.['s']?.parts;
    expect(keptDefinitions(before!)).toEqual({ definition: 'x', next: '5' });
    expect(keptDefinitions(moved!)).toEqual({ definition: 'x' });
  });

  test('has an estimate only if the format of the dump does not show the rows', () => {
    const before = inventory([counted('t', 3)]);
    const { inventory: both } = inventoryOfDump(before, before, held(dumped('t', null)));
    expect(both.databases[0]?.tables).toEqual([{ ...counted('t', 3), rowsEstimated: true }]);
  });

  test('expects no rows in a table that has no rows of its own', () => {
    const merge: InventoryTable = { name: 'm', rows: null, rowsEstimated: false, sizeBytes: 0 };
    const before = inventory([merge]);
    const { inventory: both } = inventoryOfDump(before, before, held(dumped('m', 0)));
    expect(both.databases[0]?.tables).toEqual([merge]);
    expect(compareInventories(both, inventory([{ ...merge, rows: 5 }])).differences).toEqual([]);
  });

  test('keeps the objects from before the dump if the server could not be queried afterwards', () => {
    const before = inventory([counted('t', 3)], ['v']);
    const { inventory: both, changed } = inventoryOfDump(before, undefined, held(dumped('t', 4)));
    expect(both.databases[0]).toMatchObject({ tables: [counted('t', 4)], objects: { views: ['v'] } });
    expect(changed).toEqual([]);
  });
});
