import { longestPauseMs } from '../postgres/contracts/jobQueue.js';

/**
 * The pause before the next attempt, in milliseconds: `baseMs` after the first failure, doubled by each further
 * failure, at most 15 minutes. The second half of it is random, so that jobs that failed together do not return
 * together.
 * @param failures the number of failed attempts, from 1
 * @param random from 0 up to 1
 */
export function retryDelay(failures: number, baseMs: number, random: number): number {
  const wholeMs = Math.min(longestPauseMs, baseMs * 2 ** Math.min(failures - 1, 20));
  return Math.round(wholeMs / 2 + (wholeMs / 2) * random);
}
