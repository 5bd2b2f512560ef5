import { describe, expect, test } from '@jest/globals';
import { interruptible } from './interruptible.js';

const never = new AbortController().signal;

describe('an interruptible source', () => {
  test('yields every chunk and ends when the source ends', async () => {
    async function* source() {
      for (const byte of [1, 2, 3]) yield await Promise.resolve(Uint8Array.of(byte));
    }
    const seen: number[] = [];
    for await (const chunk of interruptible(source(), never)) seen.push(...chunk);
    expect(seen).toEqual([1, 2, 3]);
  });

  test('ends its wait for a silent source at an abort, and calls `return` of the source', async () => {
    const controller = new AbortController();
    const reason = new Error('cancelled');
    let closed = false;
    const silent: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<never>(() => undefined),
        return: () => {
          closed = true;
          return Promise.resolve({ done: true, value: undefined });
        },
      }),
    };
    const waiting = interruptible(silent, controller.signal).next();
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(closed).toBe(true);
  });

  test('keeps no chunk after the consumer has received it', async () => {
    const chunkBytes = 1024 * 1024;
    async function* source() {
      for (let index = 0; index < 2000; index += 1) yield await Promise.resolve(Buffer.allocUnsafeSlow(chunkBytes));
    }
    let mostBytes = 0;
    for await (const _ of interruptible(source(), never)) {
      mostBytes = Math.max(mostBytes, process.memoryUsage().arrayBuffers);
    }
    expect(mostBytes).toBeLessThan(500 * chunkBytes);
  });
});
