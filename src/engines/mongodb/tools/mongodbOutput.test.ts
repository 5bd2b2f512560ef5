import { describe, expect, test } from '@jest/globals';
import { mongodbOutput } from './mongodbOutput.js';

const stamp = '2026-11-30T09:38:42.946+0000\t';
const shown = (...lines: readonly string[]) => {
  const filter = mongodbOutput();
  return [...lines.flatMap((line) => filter.take(line)), ...filter.end()];
};

describe('The output of the tools of MongoDB', () => {
  test.each([
    'writing `shop.orders` to `archive on stdout`',
    'done dumping `shop.orders` (10 documents)',
    'writing captured oplog to ``',
    '\tdumped 1 oplog entry',
    '[######..................]  shop.orders  1000/4000  (25.0%)',
    'preparing collections to restore from',
    'reading metadata for `shop.orders` from `archive on stdin`',
    'restoring indexes for collection `shop.orders` from metadata',
    'index: &idx.IndexDocument{Options:bson.M{"name":"a"}, Key:bson.D{bson.E{Key:"a", Value:1}}, PartialFilterExpression:(*bson.D)(0x3bc3)}',
    'no indexes to restore for collection `shop.ts`',
    'finished restoring `shop.orders` (10 documents, 0 failures)',
    '10 document(s) restored successfully. 0 document(s) failed to restore.',
    'replaying oplog',
    'applied 3 oplog entries',
    "don't know what to do with subdirectory `shop`, skipping...",
  ])('is not shown if it reports progress: %s', (line) => expect(shown(stamp + line)).toEqual([]));

  test.each([
    [
      'Failed: shop.orders: error restoring from archive on stdin: (E11000) E11000 duplicate key error collection: shop.orders index: email_1 dup key: { email: "a@b.c" }',
      'Failed: shop.orders: error restoring from archive on stdin: (E11000) E11000 duplicate key error collection: shop.orders index: email_1 dup key: …',
    ],
    [
      'Failed: connection(127.0.0.1:34749[-8]) incomplete read of message header: EOF',
      'Failed: connection(127.0.0.1:34749) incomplete read of message header: EOF',
    ],
    [
      "Failed: can't create session: failed to connect to mongodb://clerk:hunter2@127.0.0.1:1/?directConnection=true: server selection error: context deadline exceeded, current topology: { Type: Single }",
      "Failed: can't create session: failed to connect to the server server selection error: context deadline exceeded, current topology: …",
    ],
    [
      'Failed: bulk write exception: Document failed validation: "secret"',
      "Failed: bulk write exception: Document failed validation: '…'",
    ],
    [
      '9 document(s) restored successfully. 1 document(s) failed to restore.',
      '9 document(s) restored successfully. 1 document(s) failed to restore.',
    ],
    [
      'Failed: oplog overflow: mongodump was unable to capture all new oplog entries during execution',
      'Failed: oplog overflow: mongodump was unable to capture all new oplog entries during execution',
    ],
  ])('is shown without data if it reports a problem: %s', (line, expected) =>
    expect(shown(stamp + line)).toEqual([expected]),
  );

  test('is not shown if it continues a value with line breaks', () => {
    expect(shown(`${stamp}Failed: dup key: { a: "one`, 'two: secret', '" }')).toEqual(['Failed: dup key: …']);
  });
});
