import { describe, expect, test } from '@jest/globals';
import { boundedMailbox, conflatingMailbox } from './mailbox.js';

async function drain<Item>(mailbox: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of mailbox) items.push(item);
  return items;
}

describe('a conflating mailbox', () => {
  test('returns the latest item of each key in the order of the first change', async () => {
    const mailbox = conflatingMailbox<string, string>();
    mailbox.put('a', 'a1');
    mailbox.put('b', 'b1');
    mailbox.put('a', 'a2');
    mailbox.end();
    mailbox.put('c', 'too late');
    expect(await drain(mailbox)).toEqual(['a2', 'b1']);
  });

  test('holds at most one item for each key, even if many are added', () => {
    const mailbox = conflatingMailbox<number, number>();
    for (let change = 0; change < 10_000; change += 1) mailbox.put(change % 3, change);
    expect(mailbox.size).toBe(3);
  });

  test('passes an item to a waiting reader', async () => {
    const mailbox = conflatingMailbox<string, number>();
    const waiting = mailbox.next();
    mailbox.put('a', 1);
    expect(await waiting).toEqual({ done: false, value: 1 });
    expect(mailbox.size).toBe(0);
  });

  test('calls onClose once when the reader leaves, and ends a pending read', async () => {
    let closed = 0;
    const mailbox = conflatingMailbox<string, number>(() => (closed += 1));
    const waiting = mailbox.next();
    await mailbox.return();
    await mailbox.return();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(closed).toBe(1);
  });

  test('closes only after the last item of an ended mailbox was read', async () => {
    let closed = 0;
    const mailbox = conflatingMailbox<string, number>(() => (closed += 1));
    mailbox.put('a', 1);
    mailbox.end();
    expect(closed).toBe(0);
    expect(await drain(mailbox)).toEqual([1]);
    expect(closed).toBe(1);
  });
});

describe('a bounded mailbox', () => {
  test('keeps every item in order', async () => {
    const mailbox = boundedMailbox<number>(100);
    const read: number[] = [];
    for (let item = 0; item < 100; item += 1) {
      mailbox.put(item);
      if (item % 3 === 0) read.push((await mailbox.next()).value ?? -1);
    }
    mailbox.end();
    read.push(...(await drain(mailbox)));
    expect(read).toEqual(Array.from({ length: 100 }, (_, index) => index));
  });

  test('ends with SLOW_CONSUMER when more items wait than its limit', async () => {
    let closed = 0;
    const mailbox = boundedMailbox<number>(2, () => (closed += 1));
    for (const item of [1, 2, 3]) mailbox.put(item);
    expect(closed).toBe(1);
    await expect(mailbox.next()).rejects.toMatchObject({ code: 'SLOW_CONSUMER' });
    expect(await mailbox.next()).toEqual({ done: true, value: undefined });
  });
});
