import { expect, test } from '@jest/globals';
import { setImmediate } from 'node:timers/promises';
import { enterStartQueue } from './startQueue.js';

test('two processes start at a time, in their order, and each end lets the next one start', async () => {
  const entered: number[] = [];
  const leaving = [1, 2, 3, 4, 5].map(async (number) => {
    const leave = await enterStartQueue();
    entered.push(number);
    return leave;
  });
  await setImmediate();
  expect(entered).toEqual([1, 2]);
  const leaveFirst = await leaving[0];
  leaveFirst?.();
  leaveFirst?.();
  await setImmediate();
  expect(entered).toEqual([1, 2, 3]);
  for (const each of leaving.slice(1)) (await each)();
  expect(entered).toEqual([1, 2, 3, 4, 5]);
  // All places are free again.
  const again = await Promise.all([enterStartQueue(), enterStartQueue()]);
  for (const leave of again) leave();
});
