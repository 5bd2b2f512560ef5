import { describe, expect, test } from '@jest/globals';
import type { Inventory, InventoryTable } from '../engines/inventory.js';
import type { TableState } from '../engines/rowCounting.js';
import { compareWithServer, doubtfulTables, unsureTables, type DumpedRows } from './dumpedRows.js';

const time = '2026-03-01 05:00:00';
const later = '2026-03-01 05:07:00';

/**
 * One table `t`: its earlier state, its rows in the dump, its rows counted during the dump, and its state after the
 * dump.
 */
type Case = {
  readonly before?: Partial<InventoryTable>;
  /** Undefined: the dump does not hold the table. */
  readonly dumped: number | null | undefined;
  readonly counted: number | null;
  /** The rows were counted while the dump ran, and not before it. */
  readonly during?: boolean;
  /** Undefined: the table no longer exists. */
  readonly after: Omit<TableState, 'database' | 'name'> | undefined;
};

function rowsOf({ before, dumped, counted, during = false }: Case): DumpedRows {
  const table = { name: 't', rows: 8, rowsEstimated: true, sizeBytes: 1, changedAt: time, createdAt: time, ...before };
  const inventory: Inventory = {
    ...{ serverVersion: '', toolVersion: '', sizeBytes: 0 },
    databases: [{ name: 'db', tables: [table], objects: {}, properties: {} }],
  };
  const name = { database: 'db', name: 't' };
  return {
    before: inventory,
    dumped: dumped === undefined ? [] : [{ ...name, rows: dumped, sizeBytes: 1, longestStatementBytes: 1 }],
    counted: counted === null ? [] : [{ ...name, rows: counted, isBefore: !during }],
  };
}

function compare(one: Case) {
  const states = one.after === undefined ? [] : [{ database: 'db', name: 't', ...one.after }];
  return compareWithServer(rowsOf(one), states);
}

const nothing = { lost: [], fewer: [], notCompared: [] };
const lost = (dumped: number | null, counted: number | null) => ({
  ...nothing,
  lost: [{ database: 'db', name: 't', dumped, counted }],
});

describe('The number of rows of a table in a dump', () => {
  test('is certain if the server counted the same number', () => {
    expect(unsureTables(rowsOf({ dumped: 5, counted: 5, after: undefined }))).toEqual([]);
  });

  test('is checked again if the server counted another number or none, or if the table is not in the dump', () => {
    for (const [dumped, counted] of [[5, 6] as const, [5, null] as const]) {
      expect(unsureTables(rowsOf({ dumped, counted, after: undefined }))).toEqual([
        { database: 'db', name: 't', rows: 5 },
      ]);
    }
    expect(unsureTables(rowsOf({ dumped: undefined, counted: 5, after: undefined }))).toEqual([
      { database: 'db', name: 't', rows: null },
    ]);
  });

  test('is not checked if the rows are stored elsewhere, or if the tool may have omitted the table', () => {
    expect(
      unsureTables(
        rowsOf({ before: { rows: null, rowsEstimated: false }, dumped: 0, counted: null, after: undefined }),
      ),
    ).toEqual([]);
    expect(
      unsureTables(rowsOf({ before: { rows: null }, dumped: undefined, counted: null, after: undefined })),
    ).toEqual([]);
  });

  test.each<[string, Case, number | null, number | null]>([
    [
      'rows are missing and the table did not change',
      { dumped: 5, counted: 6, after: { rows: 6, changedAt: time, createdAt: time } },
      5,
      6,
    ],
    [
      'there are too many rows and the table did not change',
      { dumped: 7, counted: 6, after: { rows: 6, changedAt: time, createdAt: time } },
      7,
      6,
    ],
    [
      'the table was only counted after the dump',
      { dumped: 5, counted: null, after: { rows: 6, changedAt: time, createdAt: time } },
      5,
      6,
    ],
    [
      'the table was only counted before the dump',
      { dumped: 5, counted: 6, after: { rows: null, changedAt: time, createdAt: time } },
      5,
      6,
    ],
    [
      'the server has forgotten when it changed, and counted the same twice',
      { before: { changedAt: null }, dumped: 5, counted: 6, after: { rows: 6, changedAt: null, createdAt: time } },
      5,
      6,
    ],
    [
      'the dump does not hold it',
      { dumped: undefined, counted: 6, after: { rows: 6, changedAt: time, createdAt: time } },
      null,
      6,
    ],
    [
      'the table is not in the dump, even if rows were written to it',
      { dumped: undefined, counted: 6, after: { rows: 8, changedAt: later, createdAt: time } },
      null,
      8,
    ],
  ])('is a loss if %s', (_what, one, dumped, counted) => {
    expect(compare(one)).toEqual(lost(dumped, counted));
  });

  test.each<[string, Case]>([
    [
      'the table has as many rows now',
      { dumped: 5, counted: 6, after: { rows: 5, changedAt: later, createdAt: time } },
    ],
    [
      'one row was added and another was deleted',
      { dumped: 7, counted: 6, after: { rows: 6, changedAt: later, createdAt: time } },
    ],
    [
      'the server has forgotten when it changed, and counted it only afterwards',
      { before: { changedAt: null }, dumped: 5, counted: null, after: { rows: 6, changedAt: null, createdAt: time } },
    ],
    [
      'the server has forgotten when it changed, and counted it while the dump ran',
      {
        ...{ before: { changedAt: null }, dumped: 5, counted: 6, during: true },
        after: { rows: 6, changedAt: null, createdAt: time },
      },
    ],
    [
      'the table grows, and was counted while the dump ran',
      { dumped: 5, counted: 6, during: true, after: { rows: 9, changedAt: later, createdAt: time } },
    ],
    ['the table was dropped meanwhile', { dumped: undefined, counted: 6, after: undefined }],
    [
      'the table was dropped and created again',
      { dumped: undefined, counted: 6, after: { rows: 6, changedAt: later, createdAt: later } },
    ],
    ['the table was dropped after it was dumped', { dumped: 5, counted: 6, after: undefined }],
    ['the format of the dump does not show the number of rows', { dumped: null, counted: 6, after: { rows: 6 } }],
  ])('is not a loss if %s', (_what, one) => {
    expect(compare(one)).toEqual(nothing);
  });

  test('may be a loss, which is only a warning, if the table was written to and had more rows before and after', () => {
    const one: Case = { dumped: 5, counted: 6, after: { rows: 9, changedAt: later, createdAt: time } };
    expect(compare(one)).toEqual({ ...nothing, fewer: lost(5, 6).lost });
    const withoutTimes: Case = { before: {}, dumped: 5, counted: 6, after: { rows: 6, createdAt: time } };
    expect(compare(withoutTimes)).toEqual({ ...nothing, fewer: lost(5, 6).lost });
  });

  test('is reported as not compared if the rows could not be counted', () => {
    const one: Case = { dumped: 5, counted: null, after: { rows: null, changedAt: time, createdAt: time } };
    expect(compare(one)).toEqual({ ...nothing, notCompared: [{ database: 'db', name: 't' }] });
  });

  test('is doubtful, without the server, if another number was counted or the table is not in the dump', () => {
    const doubts = (dumped: number | undefined, counted: number | null) =>
      doubtfulTables(rowsOf({ dumped, counted, after: undefined }));
    expect(doubts(5, 6)).toEqual(lost(5, 6).lost);
    expect(doubts(undefined, null)).toEqual(lost(null, null).lost);
    expect(doubts(5, null)).toEqual([]);
    expect(doubts(5, 5)).toEqual([]);
  });
});
