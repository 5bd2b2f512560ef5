import { StowageError } from '../errors.js';

/** Ends work that takes too long or makes no progress. */
export type Limits = {
  /** Aborts with the caller's reason, TIMEOUT or STALLED. */
  readonly signal: AbortSignal;
  /** Reports that something moved, for example that an answer came. The stall timeout starts again. */
  readonly moved: () => void;
  /** While `work` runs, a change of `position` counts as movement. `onTick` is called about once a second. */
  whileMoving<T>(position: () => number, onTick: () => void, work: () => Promise<T>): Promise<T>;
  /** Runs work that has its own stall limit, or none. The stall timeout does not count meanwhile. */
  outside<T>(work: () => Promise<T>): Promise<T>;
  /** Stops the timers. */
  close(): void;
};

export type LimitsInput = {
  readonly signal: AbortSignal;
  readonly stallTimeoutMs: number;
  /** Null: no limit. */
  readonly timeoutMs: number | null;
  /** The error at the end of `timeoutMs`. Default: TIMEOUT with the time. */
  readonly timedOut?: () => StowageError;
};

/**
 * The clocks run from this call until `close`. Meanwhile, the work must make progress within every `stallTimeoutMs`.
 * Time in which this process did not run (the machine slept, SIGSTOP) does not count.
 */
function startLimits({ signal, timeoutMs, stallTimeoutMs, timedOut }: LimitsInput): Limits {
  const own = new AbortController();
  const everyMs = Math.max(20, Math.min(1_000, stallTimeoutMs / 4));
  let watched: { readonly position: () => number; readonly onTick: () => void } | undefined;
  let last = 0;
  let silentMs = 0;
  let checkedAt = performance.now();
  let outside = 0;

  const moved = () => {
    silentMs = 0;
  };
  const check = () => {
    const now = performance.now();
    silentMs += Math.min(now - checkedAt, 2 * everyMs);
    checkedAt = now;
    watched?.onTick();
    const position = watched?.position() ?? last;
    if (position !== last || outside > 0) moved();
    last = position;
    if (silentMs >= stallTimeoutMs) {
      own.abort(new StowageError('STALLED', `No byte moved for ${inSeconds(stallTimeoutMs)}.`));
    }
  };
  const ticker = setInterval(check, everyMs);
  const endInTime = () =>
    own.abort(timedOut?.() ?? new StowageError('TIMEOUT', `The job took longer than ${inSeconds(timeoutMs ?? 0)}.`));
  const timeout = timeoutMs === null ? undefined : setTimeout(endInTime, timeoutMs);
  return {
    signal: AbortSignal.any([signal, own.signal]),
    moved,
    close: () => {
      clearTimeout(timeout);
      clearInterval(ticker);
    },
    whileMoving: async (position, onTick, work) => {
      moved();
      watched = { position, onTick };
      last = position();
      try {
        return await work();
      } finally {
        watched = undefined;
        moved();
      }
    },
    outside: async (work) => {
      outside += 1;
      try {
        return await work();
      } finally {
        outside -= 1;
        moved();
      }
    },
  };
}

/** Runs `work` within limits. If a limit has ended it, the limit's error is thrown instead of the error of `work`. */
export async function withinLimits<T>(input: LimitsInput, work: (limits: Limits) => Promise<T>): Promise<T> {
  const limits = startLimits(input);
  try {
    return await work(limits);
  } catch (error) {
    limits.signal.throwIfAborted();
    throw error;
  } finally {
    limits.close();
  }
}

/**
 * How long a job waits for a lock of another session. It is shorter than the stall timeout, so that the error names the
 * session.
 */
export function lockWaitMs(stallTimeoutMs: number): number {
  return 0.75 * stallTimeoutMs;
}

function inSeconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}
