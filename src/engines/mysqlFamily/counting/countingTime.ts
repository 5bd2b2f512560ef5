import type { Work } from './countRows.js';

/** Limits the time of counting during and after a dump, so that counting does not make the dump slower. */
export type CountingTime = {
  /**
   * Waits until `ms` may be used for this work. Returns the time that may be used. It is less than `ms` only if the
   * dump and the time after it are over.
   */
  atLeast(ms: number, work: Work): Promise<number>;
  use(ms: number, work: Work): void;
  /**
   * The dump no longer needs the server. All time may be used until `end`; for large tables only if counting is free.
   */
  dumpHasEnded(): void;
  /** Small tables may be counted for this long from now on. The time of large tables started at the end of the dump. */
  end(limitMs: number): void;
  /** How much longer this work may run. Undefined: not limited yet. */
  leftMs(work: Work): number | undefined;
  /** Resolves when `firstMs` have been used, or when no small table is left. */
  readonly firstIsUsed: Promise<void>;
  isFirstUsed(): boolean;
};

export type CountingShares = { readonly small: number; readonly large: () => number };

/** Small tables may be counted for this long when the dump begins. */
export const firstMs = 1_000;
/**
 * After a dump, large tables may be counted for this share of the dump's time, and for at least this minimum. The rest
 * of a dump is stored meanwhile, so this delays few backups.
 */
const afterShare = 0.01;
const leastAfterMs = 500;

/**
 * During a dump, counting takes at most a share of the time since the dump began: `shares.small` for small tables, of
 * which a dump may have many thousands, and `shares.large()` for large ones. In addition, small tables get `firstMs` at
 * the beginning.
 */
export function countingTime(shares: CountingShares, now: () => number = () => performance.now()): CountingTime {
  const begin = now();
  const used = { first: 0, all: 0 };
  let dumpEnd: { readonly at: number; readonly isFree: boolean } | undefined;
  let end: { readonly at: number; readonly limitMs: number } | undefined;
  let wake: () => void = () => undefined;
  let isFirstUsed = false;
  let notify: () => void = () => undefined;
  const firstIsUsed = new Promise<void>((resolve) => {
    notify = resolve;
  });
  const useFirst = () => {
    isFirstUsed = true;
    notify();
  };
  const endOfLarge = () => {
    if (end === undefined && dumpEnd?.isFree !== false) return undefined;
    const at = dumpEnd?.at ?? end?.at ?? now();
    return Math.min(at + Math.max(leastAfterMs, afterShare * (at - begin)), endOfAll() ?? Infinity);
  };
  const endOfAll = () => (end === undefined ? undefined : end.at + end.limitMs);
  const leftMs = ({ isLarge }: Work) => {
    const at = isLarge ? endOfLarge() : endOfAll();
    return at === undefined ? undefined : at - now();
  };
  const share = ({ isLarge }: Work) => (isLarge ? shares.large() : shares.small);
  const besideMs = (work: Work) => (work.isLarge ? used.first : firstMs) + share(work) * (now() - begin) - used.all;
  const availableMs = (work: Work) => leftMs(work) ?? (dumpEnd === undefined ? besideMs(work) : Infinity);
  return {
    atLeast: async (ms, work) => {
      if (work.isLarge) useFirst();
      while (end === undefined && availableMs(work) < ms) {
        await new Promise<void>((resolve) => {
          const missingMs = (ms - availableMs(work)) / share(work);
          const timer = setTimeout(resolve, Math.min(lookAgainMs, Math.max(1, missingMs)));
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      return availableMs(work);
    },
    use: (ms, { isLarge }) => {
      used.all += ms;
      if (!isLarge) used.first = Math.min(firstMs, used.first + ms);
      if (used.first >= firstMs) useFirst();
    },
    dumpHasEnded: () => {
      dumpEnd = { at: now(), isFree: shares.large() >= shares.small };
      wake();
    },
    end: (limitMs) => {
      end = { at: now(), limitMs };
      wake();
    },
    leftMs,
    firstIsUsed,
    isFirstUsed: () => isFirstUsed,
  };
}

/** The share may have changed meanwhile. */
const lookAgainMs = 1_000;
