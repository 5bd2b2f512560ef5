import { describe, expect, test } from '@jest/globals';
import type { Inventory, InventoryTable } from '../engines/engine.js';
import { compareInventories } from './compareInventories.js';
import { reconcileInventories } from './inventories.js';

function inventory(tables: readonly InventoryTable[], views: readonly string[] = ['v']): Inventory {
  const database = { name: 'db', tables, objects: { views }, properties: { collation: 'utf8mb4_bin' } };
  return { serverVersion: '10.11', toolVersion: '10.11', sizeBytes: 0, databases: [database] };
}

const counted = (name: string, rows: number): InventoryTable => ({ name, rows, rowsEstimated: false, sizeBytes: 1 });

describe('The inventory of a dump', () => {
  test('is exact where nothing changed between before and after, and an estimate where it did', () => {
    const before = inventory([counted('still', 3), counted('grows', 3), counted('goes', 1)], ['v', 'w']);
    const after = inventory([counted('still', 3), counted('grows', 4), counted('comes', 1)], ['v']);
    const { inventory: both, changed } = reconcileInventories(before, after);
    expect(both.databases[0]?.tables).toEqual([
      counted('still', 3),
      { ...counted('grows', 4), rowsEstimated: true },
      { name: 'goes', rows: null, rowsEstimated: true, sizeBytes: null },
      { name: 'comes', rows: null, rowsEstimated: true, sizeBytes: null },
    ]);
    expect(changed).toEqual(['table db.goes', 'table db.comes', 'views db.w']);
  });

  test.each<[string, string | null, string | null, boolean]>([
    ['is exact where the server tells of no change', null, null, false],
    ['is exact where the last change was before', '2026-03-01 05:00:00', '2026-03-01 05:00:00', false],
    ['is an estimate where a row came and another went', '2026-03-01 05:00:00', '2026-03-01 05:07:00', true],
    ['is an estimate where the first change came', null, '2026-03-01 05:07:00', true],
  ])('%s', (_what, changedBefore, changedAfter, rowsEstimated) => {
    const [before, after] = [changedBefore, changedAfter].map((changedAt) =>
      inventory([{ ...counted('t', 3), changedAt }]),
    );
    const { inventory: both } = reconcileInventories(before!, after!);
    expect(both.databases[0]?.tables).toEqual([{ ...counted('t', 3), rowsEstimated }]);
  });

  test('keeps the definitions that are the same before and after, and names those that are not', () => {
    const defined = (name: string, hash: string): InventoryTable => ({
      ...counted(name, 1),
      engine: 'InnoDB',
      definition: { hash },
    });
    const [before, after] = [
      inventory([defined('still', 'a'), defined('altered', 'a')]),
      inventory([defined('still', 'a'), defined('altered', 'b')]),
    ];
    const { inventory: both, changed } = reconcileInventories(before, after);
    expect(both.databases[0]?.tables).toEqual([defined('still', 'a'), { ...counted('altered', 1), engine: 'InnoDB' }]);
    expect(changed).toEqual(['definition of tables db.altered']);
  });

  test('demands of a sequence the next value that did not move while it was dumped', () => {
    const [before, moved] = ['5', '8'].map((next): Inventory => {
      const one = inventory([]);
      const definitions = { sequences: { s: { hash: 'a', parts: { definition: 'x', next } } } };
      return { ...one, databases: one.databases.map((each) => ({ ...each, definitions })) };
    });
    const kept = (after: Inventory) =>
      reconcileInventories(before!, after).inventory.databases[0]?.definitions?.['sequences']?.['s']?.parts;
    expect(kept(before!)).toEqual({ definition: 'x', next: '5' });
    expect(kept(moved!)).toEqual({ definition: 'x' });
  });

  test('demands nothing of what changed', () => {
    const before = inventory([counted('grows', 3), counted('goes', 1)]);
    const { inventory: both } = reconcileInventories(before, inventory([counted('grows', 4)]));
    expect(compareInventories(both, inventory([counted('grows', 3)])).differences).toEqual([]);
  });
});
