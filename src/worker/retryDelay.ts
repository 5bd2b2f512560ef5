import { longestPauseMs } from '../postgres/contracts/jobQueue.js';

/**
 * How long to wait before the next attempt: `baseMs` after the first failure, twice as long after each further one, at
 * most 15 minutes, of which the later half is left to chance so that jobs that failed together do not return together.
 * @param failures how many attempts have failed, from 1
 * @param random from 0 up to 1
 */
export function retryDelay(failures: number, baseMs: number, random: number): number {
  const wholeMs = Math.min(longestPauseMs, baseMs * 2 ** Math.min(failures - 1, 20));
  return Math.round(wholeMs / 2 + (wholeMs / 2) * random);
}
