import { retryDelay } from './retryDelay.js';

/**
 * Decides when something that failed is tried again: after a pause that grows with each failure. Kept only in memory.
 */
export type Pauses = {
  isOver(key: string): boolean;
  refused(key: string): void;
  answered(key: string): void;
};

/** `baseMs` and `random`: see `retryDelay`. */
export function createPauses({ baseMs, random }: { readonly baseMs: number; readonly random: () => number }): Pauses {
  const paused = new Map<string, { readonly failures: number; readonly untilMs: number }>();
  return {
    isOver: (key) => performance.now() >= (paused.get(key)?.untilMs ?? 0),
    refused(key) {
      const failures = (paused.get(key)?.failures ?? 0) + 1;
      paused.set(key, { failures, untilMs: performance.now() + retryDelay(failures, baseMs, random()) });
    },
    answered: (key) => void paused.delete(key),
  };
}
