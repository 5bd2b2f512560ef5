import { StowageError } from '../errors.js';
import { longestGapMs } from '../scheduler/cron/longestGapMs.js';
import { parseFrequency } from '../scheduler/cron/parseFrequency.js';

type Schedule = { readonly normalized: string; readonly timeZone: string };

/** The number of cached schedules. The plans of an installation share few different schedules. */
const most = 5_000;
const dayMs = 86_400_000;
/** How long the computation may keep the event loop busy, in milliseconds. One schedule takes a few of them. */
const sliceMs = 10;

/**
 * The longest time between two runs of a schedule, cached for a day. The computation covers 30 years, and thousands of
 * plans share a few schedules. Undefined for a schedule with fewer than two runs, and for a frequency or zone of a
 * newer program.
 */
export class RememberedGaps {
  readonly #gaps = new Map<string, { readonly day: number; readonly gapMs: number | undefined }>();
  #busyMs = 0;

  constructor(private readonly limit = most) {}

  /** The gaps in the order of the schedules. Other work runs in between, so thousands of new schedules delay nobody. */
  async gapsMs(schedules: readonly Schedule[], now: Date): Promise<readonly (number | undefined)[]> {
    const found: (number | undefined)[] = [];
    for (const schedule of schedules) {
      const beganAt = performance.now();
      found.push(this.#gapMs(schedule, now));
      this.#busyMs += performance.now() - beganAt;
      if (this.#busyMs < sliceMs) continue;
      this.#busyMs = 0;
      await new Promise(setImmediate);
    }
    return found;
  }

  #gapMs({ normalized, timeZone }: Schedule, now: Date): number | undefined {
    const key = `${normalized} ${timeZone}`;
    const day = Math.floor(now.getTime() / dayMs);
    const known = this.#gaps.get(key);
    if (known?.day === day) return known.gapMs;
    const gapMs = reckonedGapMs({ normalized, timeZone }, now);
    this.#gaps.delete(key);
    const [oldest] = this.#gaps.keys();
    if (this.#gaps.size >= this.limit && oldest !== undefined) this.#gaps.delete(oldest);
    this.#gaps.set(key, { day, gapMs });
    return gapMs;
  }
}

function reckonedGapMs({ normalized, timeZone }: Schedule, now: Date): number | undefined {
  try {
    return longestGapMs(parseFrequency(normalized), timeZone, now);
  } catch (error) {
    if (error instanceof StowageError || error instanceof RangeError) return undefined;
    throw error;
  }
}
