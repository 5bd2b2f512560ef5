import { AsyncLocalStorage } from 'node:async_hooks';
import { expect, test } from '@jest/globals';
import { sharedLoad } from './sharedLoad.js';

/** Reads that wait until they are answered. */
function recordedReads() {
  const reads: { readonly ids: readonly string[]; answer: () => void; fail: (error: Error) => void }[] = [];
  const load = sharedLoad<string>(
    (ids) =>
      new Promise((resolve, reject) =>
        reads.push({ ids, answer: () => resolve(ids.map((id) => (id === 'none' ? null : `row ${id}`))), fail: reject }),
      ),
  );
  return { reads, load };
}

const turn = () => new Promise(setImmediate).then(() => new Promise(setImmediate));

test('one statement reads at a time, and what is requested meanwhile is read together by the next one', async () => {
  const { reads, load } = recordedReads();
  const first = [load('a'), load('a'), load('none')];
  await turn();
  expect(reads.map(({ ids }) => ids)).toEqual([['a', 'none']]);
  const next = [load('a'), load('b'), load('b')];
  await turn();
  expect(reads).toHaveLength(1);
  reads[0]?.answer();
  expect(await Promise.all(first)).toEqual(['row a', 'row a', null]);
  await turn();
  expect(reads.map(({ ids }) => ids).slice(1)).toEqual([['a', 'b']]);
  reads[1]?.answer();
  expect(await Promise.all(next)).toEqual(['row a', 'row b', 'row b']);
});

test('a failed statement fails its own requests only', async () => {
  const { reads, load } = recordedReads();
  const first = load('a').catch((error: unknown) => error);
  await turn();
  const second = load('a');
  reads[0]?.fail(new Error('gone'));
  expect(await first).toEqual(new Error('gone'));
  await turn();
  reads[1]?.answer();
  expect(await second).toBe('row a');
});

test('a statement reads at most 200 rows, and each id is in one statement', async () => {
  const { reads, load } = recordedReads();
  const ids = Array.from({ length: 450 }, (_, index) => String(index));
  const all = [...ids, ...ids].map(load);
  for (let count = 0; count < 3; count += 1) {
    await turn();
    reads[count]?.answer();
  }
  await Promise.all(all);
  expect(reads.map((read) => read.ids.length)).toEqual([200, 200, 50]);
});

test('a statement runs in the context of a request that it answers', async () => {
  const context = new AsyncLocalStorage<string>();
  const seen: (string | undefined)[] = [];
  const load = sharedLoad<string>((ids) => {
    seen.push(context.getStore());
    return Promise.resolve([...ids]);
  });
  const first = context.run('first', () => load('a'));
  await first;
  await context.run('second', () => load('b'));
  expect(seen).toEqual(['first', 'second']);
});
