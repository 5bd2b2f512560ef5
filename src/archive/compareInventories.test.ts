import { describe, expect, test } from '@jest/globals';
import type { Definition, Inventory, InventoryDatabase, InventoryTable } from '../engines/inventory.js';
import { compareInventories } from './compareInventories.js';

const ships: InventoryTable = { name: 'ships', rows: 3, rowsEstimated: false, sizeBytes: 1, engine: 'InnoDB' };
const hash = (digit: string) => digit.repeat(64);
const definition: Definition = { hash: hash('a'), parts: { 'column id': 'int(11)', 'column n': 'text' } };

function inventory(
  tables: readonly InventoryTable[],
  changes: Partial<InventoryDatabase> = {},
  whole: Partial<Inventory> = {},
): Inventory {
  const database = {
    name: 'db',
    tables,
    objects: { views: ['v'] },
    properties: { collation: 'utf8mb4_bin' },
    ...changes,
  };
  const definitionsTaken = { normalisation: 1, server: '10.11' };
  return { serverVersion: '10.11', toolVersion: '', sizeBytes: 0, databases: [database], definitionsTaken, ...whole };
}

const differences = (expected: Inventory, actual: Inventory) =>
  compareInventories(expected, actual).differences.map(({ path, expected: one, actual: two }) => [path, one, two]);

describe('The comparison of a restored target with a backup', () => {
  const expected = inventory([ships]);

  test.each([
    ['a table that is missing', inventory([]), ['db.tables.ships', 'table', null]],
    ['other rows', inventory([{ ...ships, rows: 2 }]), ['db.tables.ships.rows', '3', '2']],
    ['another engine', inventory([{ ...ships, engine: 'Aria' }]), ['db.tables.ships.engine', 'InnoDB', 'Aria']],
    ['a view that is missing', inventory([ships], { objects: {} }), ['db.views.v', 'v', null]],
    ['another collation', inventory([ships], { properties: {} }), ['db.collation', 'utf8mb4_bin', null]],
    ['no database', { ...expected, databases: [] }, ['db', 'database', null]],
  ])('finds %s', (_what, actual, difference) => {
    expect(differences(expected, actual)).toEqual([difference]);
  });

  test('accepts a name in lower case for the original spelling if the target folds names', () => {
    const upper = inventory([{ ...ships, name: 'Ships' }]);
    const lower = (nameCase: 'DISTINCT' | 'FOLDED') => inventory([ships], {}, { nameCase });
    expect(differences(upper, lower('FOLDED'))).toEqual([]);
    expect(differences(upper, lower('DISTINCT'))).toEqual([['db.tables.Ships', 'table', null]]);
  });

  test.each<[string, Definition, readonly (readonly [string, string | null, string | null])[]]>([
    ['nothing where the hash is the same', definition, []],
    [
      'the part that differs',
      { hash: hash('b'), parts: { ...definition.parts, 'column n': 'varchar(3)' } },
      [['column n', 'text', 'varchar(3)']],
    ],
    ['the part that is missing', { hash: hash('b'), parts: { 'column id': 'int(11)' } }, [['column n', 'text', null]]],
    [
      'the part that was added',
      { hash: hash('b'), parts: { ...definition.parts, 'index k': 'KEY' } },
      [['index k', null, 'KEY']],
    ],
    ['another hash of the same parts', { ...definition, hash: hash('b') }, [['definition', hash('a'), hash('b')]]],
    ['another hash without parts', { hash: hash('b') }, [['definition', hash('a'), hash('b')]]],
  ])('reports a definition %s', (_what, actual, found) => {
    const [one, other] = [definition, actual].map((each) => inventory([{ ...ships, definition: each }]));
    expect(differences(one!, other!)).toEqual(found.map(([part, ...texts]) => [`db.tables.ships.${part}`, ...texts]));
  });

  test('compares definitions of another server or normalisation only by names of columns, and adds a warning', () => {
    const taken = (server: string, normalisation = 1) => ({ definitionsTaken: { server, normalisation } });
    const one = inventory([{ ...ships, definition }]);
    const other = { hash: hash('b'), parts: { 'column id': 'bigint' } };
    for (const [how, why] of [
      [taken('11.4'), /of 10\.11, and the target of 11\.4/],
      [taken('10.11', 2), /another version of Stowage/],
    ] as const) {
      const actual = inventory([{ ...ships, definition: other }], {}, how);
      expect(differences(one, actual)).toEqual([['db.tables.ships.column n', 'text', null]]);
      expect(compareInventories(one, actual).notCompared).toMatch(why);
    }
  });

  test('warns for a backup without definitions that they were not compared', () => {
    const { definitionsTaken: _, ...old } = inventory([ships]);
    const { differences, notCompared } = compareInventories(old, inventory([{ ...ships, definition }]));
    expect([differences, notCompared]).toEqual([[], expect.stringMatching(/does not record them/)]);
    expect(compareInventories(inventory([ships]), inventory([ships])).notCompared).toBeNull();
  });
});
