import { expect, test } from '@jest/globals';
import { readAhead } from './readAhead.js';

const bytes = (...values: readonly number[]) => Uint8Array.from(values);
/** Lets every promise settle that depends on no event. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A source that counts the chunks that were requested. */
function counted(chunks: readonly Uint8Array[], failure?: Error) {
  const state = { requested: 0, isClosed: false };
  async function* source() {
    try {
      for (const chunk of chunks) {
        state.requested += 1;
        await settled();
        yield chunk;
      }
      if (failure !== undefined) throw failure;
    } finally {
      state.isClosed = true;
    }
  }
  return { state, source: source() };
}

async function all(source: AsyncIterable<Uint8Array>): Promise<number[]> {
  const found: number[] = [];
  for await (const chunk of source) found.push(...chunk);
  return found;
}

test('reads all bytes in their order, with a limit of any size', async () => {
  for (const limitBytes of [1, 2, 3, 100]) {
    const { source } = counted([bytes(1, 2), bytes(3), bytes(4, 5, 6)]);
    expect(await all(readAhead(source, limitBytes))).toEqual([1, 2, 3, 4, 5, 6]);
  }
  expect(await all(readAhead(counted([]).source, 5))).toEqual([]);
});

test('reads up to the limit while the consumer is busy, and no further', async () => {
  const { source, state } = counted(Array.from({ length: 20 }, () => bytes(0, 0)));
  const ahead = readAhead(source, 6);
  await ahead.next();
  for (let turns = 0; turns < 30; turns += 1) await settled();
  expect(state.requested).toBe(4);
  await ahead.next();
  for (let turns = 0; turns < 30; turns += 1) await settled();
  expect(state.requested).toBe(5);
  await ahead.return();
});

test('throws an error of the source after all chunks before it', async () => {
  const { source } = counted([bytes(1), bytes(2)], new Error('broken'));
  const ahead = readAhead(source, 100);
  for (let turns = 0; turns < 30; turns += 1) await settled();
  expect([(await ahead.next()).value, (await ahead.next()).value]).toEqual([bytes(1), bytes(2)]);
  await expect(ahead.next()).rejects.toThrow('broken');
});

test('closes the source if the consumer stops', async () => {
  const { source, state } = counted(Array.from({ length: 20 }, () => bytes(0, 0)));
  for await (const _ of readAhead(source, 4)) break;
  for (let turns = 0; turns < 30; turns += 1) await settled();
  expect(state.isClosed).toBe(true);
});
