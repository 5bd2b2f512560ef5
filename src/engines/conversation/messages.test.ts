import { expect, test } from '@jest/globals';
import { asReply } from './messages.js';

const replies = [
  { id: 1, columns: [] },
  { id: 1, columns: ['a', '__proto__'] },
  { id: 1, rows: [['1', null], []] },
  { id: 1, done: true },
  { id: 1, failed: { message: 'no', errno: 1146, sqlState: '42S02', sqlMessage: 'no' } },
];
const others: readonly unknown[] = [
  ...[null, 1, 'text', [], {}, { id: 'a', done: true }, { id: 1 }, { id: 1, done: 1 }, { id: 1, columns: [], rows: 5 }],
  ...[
    { id: 1, columns: 5 },
    { id: 1, columns: [null] },
    { id: 1, columns: { length: 1 } },
  ],
  ...[
    { id: 1, rows: 5 },
    { id: 1, rows: [5] },
    { id: 1, rows: [[5]] },
    { id: 1, rows: [{ length: 0 }] },
  ],
  ...[
    { id: 1, failed: 'no' },
    { id: 1, failed: {} },
    { id: 1, failed: { message: 'no', errno: '1' } },
  ],
];

test.each(replies)('%j is a reply', (value) => {
  expect(asReply(value)).toBe(value);
});

test.each(others)('%j is refused, because a process that was taken over could send it', (value) => {
  expect(() => asReply(value)).toThrow(TypeError);
});
