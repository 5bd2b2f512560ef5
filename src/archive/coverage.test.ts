import { describe, expect, test } from '@jest/globals';
import type { Inventory } from '../engines/inventory.js';
import type { DumpedObjects, DumpedTable } from '../engines/runningDump.js';
import type { PartContents } from './coverage.js';
import { lostObjects } from './dumpedObjects.js';
import { inventoryOfDump } from './inventoryOfDump.js';
import { withLongestStatements } from './longestStatements.js';

const inventory: Inventory = {
  ...{ serverVersion: '1', toolVersion: '1', sizeBytes: null, nameCase: 'DISTINCT' },
  databases: ['counted', 'uncounted'].map((name) => ({
    name,
    tables: ['Orders', 'orders'].map((table) => ({ name: table, rows: 3, rowsEstimated: false, sizeBytes: 1 })),
    objects: { views: ['All', 'all'] },
    properties: {},
    largestRowBytes: 99,
  })),
};

const table = (name: string): DumpedTable => ({
  ...{ database: 'counted', name, rows: 3 },
  ...{ sizeBytes: 10, longestStatementBytes: 7 },
});
const views = (...names: readonly string[]): DumpedObjects => ({
  kinds: ['views'],
  found: names.map((name) => ({ database: 'counted', kind: 'views', name })),
  nameCase: 'DISTINCT',
});

/** A part whose dump was read for counting, and a part whose dump was not read. */
const parts = (tables: readonly DumpedTable[], objects: DumpedObjects): readonly PartContents[] => [
  { spec: { databases: ['counted'] }, tables, objects },
  { spec: { databases: ['uncounted'] }, tables: undefined, objects: undefined },
  { spec: { databases: [] }, tables: undefined, objects: undefined },
];

describe('A dump with a counted part and an uncounted part', () => {
  test('lacks the objects that are missing in the counted part, and no object of the other part', () => {
    const held = parts([table('Orders'), table('orders')], views('all'));
    expect(lostObjects(inventory, inventory, held)).toEqual([{ database: 'counted', kind: 'views', name: 'All' }]);
    expect(lostObjects(inventory, inventory, parts([], views('All', 'all')))).toEqual([]);
  });

  test('is not compared if a part that was not read may hold the same database', () => {
    const other: PartContents = { spec: {}, tables: undefined, objects: undefined };
    expect(lostObjects(inventory, inventory, [...parts([], views()), other])).toEqual([]);
  });

  test('has the counted rows of one part, and estimates for the other', () => {
    const held = parts([table('Orders')], views('All', 'all'));
    const { inventory: both, changed } = inventoryOfDump(inventory, inventory, held);
    expect(both.databases).toMatchObject([
      { tables: [{ name: 'Orders', rows: 3, rowsEstimated: false }] },
      {
        tables: [
          { name: 'Orders', rows: 3, rowsEstimated: true },
          { name: 'orders', rows: 3, rowsEstimated: true },
        ],
      },
    ]);
    expect(changed).toEqual(['table counted.orders']);
  });

  test('names objects of the uncounted part that were created or dropped', () => {
    const [counted, uncounted] = inventory.databases;
    const after = { ...inventory, databases: [counted!, { ...uncounted!, tables: uncounted!.tables.slice(1) }] };
    const held = parts([table('Orders'), table('orders')], views('All', 'all'));
    const { inventory: both, changed } = inventoryOfDump(inventory, after, held);
    expect(both.databases[1]?.tables).toMatchObject([{ name: 'orders' }]);
    expect(changed).toEqual(['table uncounted.Orders']);
  });

  test("requires the longest statement as the target's limit if it is known, and otherwise the estimate", () => {
    const held = parts([table('Orders')], views());
    expect(withLongestStatements(inventory, held).databases).toMatchObject([
      { largestRowBytes: 7 },
      { largestRowBytes: 99 },
    ]);
  });
});
