import { describe, expect, test } from '@jest/globals';
import { compareInventories } from '../../../archive/compareInventories.js';
import type { Definition, Inventory, InventoryDatabase, InventoryTable } from '../../inventory.js';
import { mariadbDialect } from '../../mariadb/mariadbDialect.js';
import { judgeDifferences } from './judgeDifference.js';

const judgeDifference = judgeDifferences(mariadbDialect);

const parts = {
  'column id': 'int(11) NOT NULL AUTO_INCREMENT',
  'primary key': 'PRIMARY KEY (`id`)',
  'foreign key f': 'CONSTRAINT `f` …',
  partitions: 'PARTITION BY HASH (`id`)',
};
const ships: InventoryTable = {
  ...{ name: 'ships', rows: 5, rowsEstimated: false, sizeBytes: 1, type: 'SYSTEM VERSIONED', engine: 'Aria' },
  ...{ rowFormat: 'Page', collation: 'utf8mb3_bin', definition: { hash: 'a', parts } },
};
const view: Definition = { hash: 'a', parts: { definition: 'select 1', security: 'DEFINER', definer: 'anna@%' } };
const database: InventoryDatabase = {
  name: 'harbour',
  tables: [ships],
  objects: { views: ['v'], procedures: ['p'], triggers: ['t'], events: ['e'], definers: ['anna@%'], sequences: ['s'] },
  properties: { characterSet: 'utf8', collation: 'utf8_bin', comment: 'c' },
  definitions: {
    views: { v: view },
    sequences: { s: { hash: 'a', parts: { definition: 'x', next: '7' } } },
    events: { e: { hash: 'a', parts: { body: 'x', status: 'ENABLED' } } },
  },
};

function inventory(changes: Partial<InventoryDatabase> = {}): Inventory {
  const definitionsTaken = { normalisation: 1, server: '10.11' };
  return {
    serverVersion: '',
    toolVersion: '',
    sizeBytes: 0,
    definitionsTaken,
    databases: [{ ...database, ...changes }],
  };
}

function losses(actual: Inventory, changesByItself = false): readonly string[] {
  const expected = inventory();
  const { differences } = compareInventories(expected, actual);
  expect(differences.length).toBeGreaterThan(0);
  return differences.flatMap((each) => judgeDifference(each, { expected, actual, changesByItself })?.sentence ?? []);
}

const without = (kind: string) => inventory({ objects: { ...database.objects, [kind]: [] } });
const altered = (changes: Partial<InventoryTable>) => inventory({ tables: [{ ...ships, ...changes }] });
const withParts = (changed: Readonly<Record<string, string | undefined>>) =>
  altered({ definition: { hash: 'b', parts: JSON.parse(JSON.stringify({ ...parts, ...changed })) as typeof parts } });
const redefined = (kind: string, name: string, changed: Readonly<Record<string, string>>) => {
  const before = database.definitions?.[kind]?.[name];
  const definition = { hash: 'b', parts: { ...before?.parts, ...changed } };
  return inventory({ definitions: { ...database.definitions, [kind]: { [name]: definition } } });
};

describe('A restored target has lost something', () => {
  test.each<[string, Inventory, string]>([
    ['the database', { ...inventory(), databases: [] }, "the database 'harbour' is not there"],
    ['a table', inventory({ tables: [] }), "the table 'harbour.ships' is not there"],
    ['rows', altered({ rows: 4 }), "the table 'harbour.ships' has 4 of 5 rows"],
    ['a view', without('views'), "the view 'harbour.v' is not there"],
    ['a procedure', without('procedures'), "the procedure 'harbour.p' is not there"],
    ['a trigger', without('triggers'), "the trigger 'harbour.t' is not there"],
    [
      'a view that became a table',
      inventory({ tables: [ships, { ...ships, name: 'v' }], objects: { ...database.objects, views: [] } }),
      "the view 'harbour.v' became a table",
    ],
    [
      'the engine',
      altered({ engine: 'InnoDB' }),
      "the table 'harbour.ships' has the storage engine InnoDB instead of Aria",
    ],
    ['the versioning', altered({ type: 'BASE TABLE' }), "the table 'harbour.ships' is not system-versioned any more"],
    [
      'the collation of a table',
      altered({ collation: 'latin1_bin' }),
      "the table 'harbour.ships' has the collation latin1_bin instead of utf8mb3_bin",
    ],
    [
      'the collation of a database',
      inventory({ properties: { ...database.properties, collation: 'utf8mb3_general_ci' } }),
      "the database 'harbour' has the collation utf8mb3_general_ci instead of utf8_bin",
    ],
    ['a column', withParts({ 'column id': undefined }), "the table 'harbour.ships' has no column 'id'"],
    [
      'AUTO_INCREMENT',
      withParts({ 'column id': 'int(11) NOT NULL' }),
      "the column 'id' of the table 'harbour.ships' is int(11) NOT NULL instead of int(11) NOT NULL AUTO_INCREMENT",
    ],
    ['the primary key', withParts({ 'primary key': undefined }), "the table 'harbour.ships' has no primary key"],
    ['a foreign key', withParts({ 'foreign key f': undefined }), "the table 'harbour.ships' has no foreign key 'f'"],
    ['partitions', withParts({ partitions: undefined }), "the table 'harbour.ships' has no partitions"],
    [
      'the security of a view',
      redefined('views', 'v', { security: 'INVOKER' }),
      "the security of the view 'harbour.v' is INVOKER instead of DEFINER",
    ],
    [
      'values of a sequence',
      redefined('sequences', 's', { next: '1' }),
      "the sequence 'harbour.s' continues at 1 instead of 7",
    ],
  ])('%s', (_what, actual, sentence) => {
    expect(losses(actual)).toEqual([sentence]);
  });
});

describe('A restored target has lost nothing for', () => {
  test.each<[string, Inventory]>([
    ['an event that may have ended', without('events')],
    ['an event that is disabled', redefined('events', 'e', { status: 'DISABLED' })],
    ['a definer that does not exist on the target', without('definers')],
    ['another definer', redefined('views', 'v', { definer: 'root@localhost' })],
    ['a sequence that has continued', redefined('sequences', 's', { next: '9' })],
    [
      'the full name of utf8',
      inventory({ properties: { characterSet: 'utf8mb3', collation: 'utf8mb3_bin', comment: 'c' } }),
    ],
    ['a collation that it does not report', inventory({ properties: {} })],
    ['more rows', altered({ rows: 6 })],
    ['another row format', altered({ rowFormat: 'Dynamic' })],
    ['a column that was added', withParts({ 'column n': 'text' })],
  ])('%s', (_what, actual) => {
    expect(losses(actual)).toEqual([]);
  });

  test('fewer rows if events run on it; a missing table is still a loss', () => {
    expect(losses(altered({ rows: 4 }), true)).toEqual([]);
    expect(losses(inventory({ tables: [] }), true)).toHaveLength(1);
  });

  test('rows of a history that an older backup counted, although its dump does not contain them', () => {
    const older = (objects: InventoryDatabase['objects'], toolVersion = '10.11.19'): Inventory => {
      const { definitionsTaken: _none, ...rest } = inventory({ objects });
      return { ...rest, toolVersion };
    };
    const judged = (expected: Inventory) => {
      const actual = altered({ rows: 4 });
      const { differences } = compareInventories(expected, actual);
      return differences
        .filter(({ what }) => what === 'ROWS')
        .map((each) => judgeDifference(each, { expected, actual, changesByItself: false })?.sentence);
    };
    const versioned = { systemVersionedTables: ['ships'] };
    const precise = { ...versioned, transactionPreciseTables: ['other'] };
    expect(judged(older(precise))).toEqual([undefined]);
    expect(judged(older(versioned, '10.2.11'))).toEqual([undefined]);
    const lost = "the table 'harbour.ships' has 4 of 5 rows";
    expect(judged(older(versioned))).toEqual([lost]);
    expect(judged(older({ transactionPreciseTables: ['other'] }))).toEqual([lost]);
    expect(judged(inventory({ objects: precise }))).toEqual([lost]);
  });
});

test('the next value of a sequence is repaired by a statement in which every name is quoted', () => {
  const loss = judgeDifference(
    {
      ...{ what: 'DEFINITION', path: '', database: 'my-db', kind: 'sequences', name: 's`1' },
      ...{ part: 'next', expected: '7', actual: '1' },
    },
    { expected: inventory(), actual: inventory(), changesByItself: false },
  );
  expect(loss?.help).toBe('Run on the target: SELECT SETVAL(`my-db`.`s``1`, 7, 0);');
});
