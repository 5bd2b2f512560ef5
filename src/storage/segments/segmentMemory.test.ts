import { describe, expect, test } from '@jest/globals';
import { SegmentMemory } from './segmentMemory.js';

const signal = new AbortController().signal;

async function isWaiting(promise: Promise<unknown>): Promise<boolean> {
  const waiting = Symbol('waiting');
  return (await Promise.race([promise, new Promise((resolve) => setImmediate(resolve, waiting))])) === waiting;
}

describe('the memory for segments', () => {
  test('gives one upload all memory and not more, and reuses a returned block', async () => {
    const upload = new SegmentMemory(40, 10).reserve(20);
    const blocks = [];
    for (let index = 0; index < 4; index += 1) blocks.push(await upload.take(signal));
    const fifth = upload.take(signal);
    expect(await isWaiting(fifth)).toBe(true);
    const [first] = blocks;
    upload.give(first === undefined ? [] : [first]);
    expect(await fifth).toBe(first);
  });

  test('always gives an upload its reserved memory, even if other uploads hold much', async () => {
    const memory = new SegmentMemory(40, 10);
    const greedy = memory.reserve(20);
    for (let index = 0; index < 4; index += 1) await greedy.take(signal);
    const late = memory.reserve(20);
    await late.take(signal);
    await late.take(signal);
    expect(await isWaiting(late.take(AbortSignal.timeout(1000)))).toBe(true);
  });

  test('does not give away the reserved memory of another upload until that upload ends', async () => {
    const memory = new SegmentMemory(40, 10);
    const other = memory.reserve(20);
    const upload = memory.reserve(20);
    await upload.take(signal);
    await upload.take(signal);
    const third = upload.take(signal);
    expect(await isWaiting(third)).toBe(true);
    other.end();
    expect((await third).length).toBe(10);
  });

  test('ends a wait with the reason of an abort, and takes no block', async () => {
    const upload = new SegmentMemory(10, 10).reserve(10);
    const block = await upload.take(signal);
    const controller = new AbortController();
    const waiting = upload.take(controller.signal);
    const reason = new Error('cancelled');
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    upload.give([block]);
    expect(await upload.take(signal)).toBe(block);
  });
});
