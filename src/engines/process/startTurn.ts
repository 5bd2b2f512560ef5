import { setTimeout as wait } from 'node:timers/promises';

/** How long other work of this process runs between two starts. */
const pauseMs = 15;
let last: Promise<unknown> = Promise.resolve();

/**
 * Resolves when a program may be started. To start one stops this process for about 10 ms, because the system copies its
 * page tables (fork(2)). Without turns, many starts at once would delay every client of the API.
 */
export function startTurn(): Promise<void> {
  const turn = last.then(() => undefined);
  last = turn.then(() => wait(pauseMs, undefined, { ref: false }));
  return turn;
}
