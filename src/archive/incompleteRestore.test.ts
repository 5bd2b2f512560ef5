import { describe, expect, test } from '@jest/globals';
import type { Inventory, InventoryDatabase, InventoryTable } from '../engines/engine.js';
import { IncompleteRestore, whatIsLacking } from './incompleteRestore.js';
import { compareInventories } from './inventories.js';

const ships: InventoryTable = { name: 'ships', rows: 5, rowsEstimated: false, sizeBytes: 1 };
const database: InventoryDatabase = {
  name: 'harbour',
  tables: [ships],
  objects: { views: ['v'], procedures: ['p'], triggers: ['t'], events: ['e'], definers: ['anna@%'] },
  properties: { collation: 'utf8mb4_bin' },
};

function inventory(changes: Partial<InventoryDatabase> = {}): Inventory {
  return { serverVersion: '', toolVersion: '', sizeBytes: 0, databases: [{ ...database, ...changes }] };
}

function lacking(actual: Inventory, changesByItself = false, expected = inventory()): readonly string[] {
  const differences = compareInventories(expected, actual);
  return whatIsLacking(expected, differences, { changesByItself }).map(({ path }) => path);
}

const without = (kind: string) => inventory({ objects: { ...database.objects, [kind]: [] } });

describe('A restored target', () => {
  test.each([
    ['the database', { ...inventory(), databases: [] }, 'harbour'],
    ['a table', inventory({ tables: [] }), 'harbour.tables.ships'],
    ['rows', inventory({ tables: [{ ...ships, rows: 4 }] }), 'harbour.tables.ships.rows'],
    ['a view', without('views'), 'harbour.views.v'],
    ['a procedure', without('procedures'), 'harbour.procedures.p'],
    ['a trigger', without('triggers'), 'harbour.triggers.t'],
  ])('lacks %s', (_what, actual, path) => {
    expect(lacking(actual)).toEqual([path]);
  });

  test.each([
    ['an event that may have ended', without('events')],
    ['a definer that nobody made there', without('definers')],
    ['another collation', inventory({ properties: { collation: 'utf8mb4_uca1400_ai_ci' } })],
    ['a collation that it does not tell', inventory({ properties: {} })],
    ['more rows', inventory({ tables: [{ ...ships, rows: 6 }] })],
    ['rows that were not counted', inventory({ tables: [{ ...ships, rows: 1, rowsEstimated: true }] })],
  ])('lacks nothing for %s', (_what, actual) => {
    expect(lacking(actual)).toEqual([]);
  });

  test('may have fewer rows where events run on it, but no fewer tables', () => {
    expect(lacking(inventory({ tables: [{ ...ships, rows: 4 }] }), true)).toEqual([]);
    expect(lacking(inventory({ tables: [] }), true)).toEqual(['harbour.tables.ships']);
  });

  test('is told with the first loss and how many there are', () => {
    const differences = compareInventories(inventory(), inventory({ tables: [], objects: {} }));
    const { code, message } = new IncompleteRestore(differences, differences);
    expect(code).toBe('TOOL_FAILED');
    expect(message).toMatch(/harbour\.tables\.ships \(nothing of table\), and 5 more\.$/);
  });
});
