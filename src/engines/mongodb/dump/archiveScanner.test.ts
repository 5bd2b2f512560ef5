import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BSON } from 'mongodb';
import { crc64, mongodbArchive, type ArchiveBlock } from '../../../../test/fixtures/mongodbArchive.js';
import { scanStream } from '../../../../test/fixtures/scannedStream.js';
import { archiveScanner, scannedArchive } from './archiveScanner.js';
import { dumpedTables, whyIncomplete } from './dump.js';

function scan(archive: Buffer, lengths: readonly number[] = []) {
  const { found, out } = scanStream(archiveScanner(['shop', 'Ä', 'd']), archive, lengths);
  const scanned = scannedArchive();
  for (const line of found) scanned.add(line);
  return { ...scanned.result(), out };
}

const document = (value: BSON.Document) => BSON.serialize(value);
const orders: ArchiveBlock = {
  ...{ database: 'shop', collection: 'orders' },
  documents: [document({ _id: 1 }), document({ _id: 2, text: 'x'.repeat(5000) })],
};

describe('The scanner of an archive', () => {
  test('counts the documents of each namespace, also if its blocks are interleaved', () => {
    const archive = mongodbArchive(
      [
        { db: 'shop', collection: 'orders' },
        { db: 'shop', collection: 'empty' },
        { db: 'Ä', collection: 'a b.$' },
      ],
      [
        { ...orders, isLast: false },
        { database: 'Ä', collection: 'a b.$', documents: [document({}), document({}), document({})] },
        { database: 'shop', collection: 'empty', documents: [] },
        orders,
      ],
    );
    const scanned = scan(archive);
    expect(scanned.out.equals(archive)).toBe(true);
    expect(scanned.announced.map(({ database, collection }) => [database, collection])).toEqual([
      ...[
        ['shop', 'orders'],
        ['shop', 'empty'],
        ['Ä', 'a b.$'],
      ],
    ]);
    expect(dumpedTables(scanned).map(({ database, name, rows }) => [database, name, rows])).toEqual([
      ...[
        ['Ä', 'a b.$', 3],
        ['shop', 'empty', 0],
        ['shop', 'orders', 4],
      ],
    ]);
    expect(whyIncomplete(scanned, false)).toBeUndefined();
    expect(scanned.ended.at(-1)?.largestBytes).toBe(orders.documents[1]?.length);
  });

  test('finds the same in pieces of any length', () => {
    const archive = mongodbArchive([{ db: 'shop', collection: 'orders' }], [orders]);
    const whole = scan(archive);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 3000 }), { maxLength: 60 }), (lengths) => {
        expect(scan(archive, lengths)).toEqual(whole);
      }),
      { numRuns: 20 },
    );
  });

  test('reports buckets as a time series without a number of documents, and a view as no table', () => {
    const announced = [
      { db: 'd', collection: 'weather', type: 'timeseries' },
      { db: 'd', collection: 'open', type: 'view' },
      { db: 'd', collection: 'system.buckets.mine' },
    ];
    const scanned = scan(
      mongodbArchive(announced, [
        { database: 'd', collection: 'system.buckets.weather', documents: [document({})] },
        { database: 'd', collection: 'open', documents: [] },
        { database: 'd', collection: 'system.buckets.mine', documents: [document({})] },
      ]),
    );
    expect(dumpedTables(scanned)).toMatchObject([
      { name: 'weather', rows: null },
      { name: 'system.buckets.mine', rows: 1 },
    ]);
    expect(whyIncomplete(scanned, false)).toBeUndefined();
  });

  test.each([1, 4, 5, 40, 5100])('reports an archive that lacks its last %i bytes as incomplete', (bytes) => {
    const archive = mongodbArchive([{ db: 'shop', collection: 'orders' }], [orders]);
    const scanned = scan(archive.subarray(0, archive.length - bytes));
    expect(whyIncomplete(scanned, false)).toMatch(/ends/);
  });

  test('reports an archive that ends after a whole block, but without the end of a namespace', () => {
    const announced = [{ db: 'shop', collection: 'orders' }];
    expect(whyIncomplete(scan(mongodbArchive(announced, [{ ...orders, isLast: false }])), false)).toMatch(
      /announces 'shop.orders', and ends without the end/,
    );
    expect(whyIncomplete(scan(mongodbArchive(announced, [])), false)).toMatch(/announces 'shop.orders'/);
    expect(whyIncomplete(scan(mongodbArchive(announced, [orders])), true)).toMatch(/without its oplog/);
    expect(whyIncomplete(scan(Buffer.from('no archive at all')), false)).toMatch(/no(?:t an)? archive/);
    expect(whyIncomplete(scan(Buffer.alloc(0)), false)).toMatch(/ends in the middle/);
  });

  test('leaves out the databases of the system, and every other that is not in the backup', () => {
    const users: ArchiveBlock = {
      database: 'admin',
      collection: 'system.users',
      documents: [document({ user: 'me' })],
    };
    const config: ArchiveBlock = { database: 'config', collection: 'settings', documents: [document({ a: 1 })] };
    const shop = { db: 'shop', collection: 'orders' };
    const archive = mongodbArchive(
      [
        { db: 'admin', collection: 'system.users' },
        shop,
        { db: 'config', collection: 'settings' },
        { db: 'created later', collection: 'orders' },
      ],
      [users, orders, config, { ...orders, database: 'created later' }],
    );
    const scanned = scan(archive, [50, 300, 7, 7, 7]);
    expect(scanned.out.equals(mongodbArchive([shop], [orders]))).toBe(true);
    expect(scanned.ended.map(({ database }) => database)).toEqual(['shop']);
  });

  describe('turns entries of the oplog that write to other databases into no-ops', () => {
    const entry = (op: string, ns: string, o: BSON.Document) =>
      document({ op, ns, ui: new BSON.UUID(), o, ts: new BSON.Timestamp(7n) });
    const oplogOf = (documents: readonly Uint8Array[]) =>
      mongodbArchive([{ db: '', collection: 'oplog' }], [{ database: '', collection: 'oplog', documents }]);
    const kept = [
      entry('i', 'shop.orders', { _id: 1, ns: 'admin.system.users' }),
      entry('c', 'admin.$cmd', { applyOps: [{ op: 'i', ns: 'shop.orders', o: { _id: 2 } }] }),
      entry('c', 'admin.$cmd', { applyOps: [{ op: 'i', ns: 'shop.orders', o: { _id: 3, ns: 'config.application' } }] }),
      entry('c', 'admin.$cmd', { commitTransaction: 1 }),
      entry('n', '', { msg: 'periodic noop' }),
    ];
    const changed = [
      entry('i', 'admin.system.users', { _id: 'admin.me', credentials: {} }),
      entry('u', 'config.transactions', { _id: 2 }),
      entry('c', 'created later.$cmd', { dropDatabase: 1 }),
    ];

    test('and corrects the checksum', () => {
      const archive = oplogOf([kept[0]!, changed[0]!, kept[1]!, changed[1]!, changed[2]!, kept[2]!]);
      const { out, ended } = scan(archive, [100, 1000]);
      const asNoOp = (each: Uint8Array) => Buffer.from(BSON.serialize({ ...BSON.deserialize(each), op: 'n' }));
      const [first, second, third] = changed.map(asNoOp);
      expect(out.equals(oplogOf([kept[0]!, first!, kept[1]!, second!, third!, kept[2]!]))).toBe(true);
      expect(ended).toMatchObject([{ database: '', collection: 'oplog', documents: 6 }]);
    });

    test('and single operations of a transaction', () => {
      const transaction = (op: string) =>
        entry('c', 'admin.$cmd', {
          applyOps: [
            { op: 'i', ns: 'shop.orders', o: { _id: 2 } },
            { op, ns: 'admin.system.roles', o: { _id: 2 } },
            { op: 'u', ns: 'shop.orders', o: { _id: 2 } },
          ],
        });
      const [before, expected] = ['i', 'n'].map((op) => BSON.deserialize(transaction(op)));
      const ui = before!['ui'] as unknown;
      const oplog = (each: BSON.Document) => oplogOf([document({ ...each, ui }), kept[0]!]);
      expect(scan(oplog(before!), [300, 20]).out.equals(oplog(expected!))).toBe(true);
    });

    test('and leaves other oplogs as they are', () => {
      const archive = oplogOf(kept);
      expect(scan(archive).out.equals(archive)).toBe(true);
    });
  });

  test('uses the checksum of Go', () => {
    // The check value of CRC-64/XZ.
    expect(crc64(Buffer.from('123456789')).toString(16)).toBe('995dc9bbdf1939fa');
  });
});
