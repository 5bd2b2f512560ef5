import { StowageError } from '../errors.js';

/** Ends work that takes too long or does not move. */
export type Limits = {
  /** Aborts with the caller's reason, TIMEOUT or STALLED. */
  readonly signal: AbortSignal;
  /** While `work` runs, `position` must change within the stall timeout. `onTick` is called about once a second. */
  whileMoving<T>(position: () => number, onTick: () => void, work: () => Promise<T>): Promise<T>;
  /** Ends the timers. */
  close(): void;
};

export function startLimits(input: {
  readonly signal: AbortSignal;
  readonly stallTimeoutMs: number;
  /** Null: none. */
  readonly timeoutMs: number | null;
}): Limits {
  const own = new AbortController();
  const { timeoutMs, stallTimeoutMs } = input;
  const timeout =
    timeoutMs === null
      ? undefined
      : setTimeout(
          () => own.abort(new StowageError('TIMEOUT', `The job took longer than ${inSeconds(timeoutMs)}.`)),
          timeoutMs,
        );
  return {
    signal: AbortSignal.any([input.signal, own.signal]),
    close: () => clearTimeout(timeout),
    whileMoving: async (position, onTick, work) => {
      let last = position();
      let movedAt = performance.now();
      const ticker = setInterval(
        () => {
          onTick();
          const now = position();
          if (now !== last) {
            last = now;
            movedAt = performance.now();
          } else if (performance.now() - movedAt >= stallTimeoutMs) {
            own.abort(new StowageError('STALLED', `No byte moved for ${inSeconds(stallTimeoutMs)}.`));
          }
        },
        Math.max(20, Math.min(1_000, stallTimeoutMs / 4)),
      );
      try {
        return await work();
      } finally {
        clearInterval(ticker);
      }
    },
  };
}

function inSeconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}
