import { Temporal } from 'temporal-polyfill';

/** A period in which the offset of a zone from UTC does not change. */
export type SteadyTime = {
  /** The first instant of the period, and the first instant after it. Infinite: no change is known. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** The offset from UTC, always less than a day. */
  readonly offsetMs: number;
  /** The offset as text, for example `+05:45`. */
  readonly offset: string;
};

/**
 * Most zones have two periods a year. The cache is large enough for all zones over decades, and takes less than a
 * megabyte.
 */
const mostRemembered = 20_000;
const remembered = new Map<string, SteadyTime[]>();
let rememberedTimes = 0;

/**
 * The period around an instant in which the zone's offset does not change. The result is cached, because the calendar
 * needs about 20 µs to compute it, and the sweep of retention needs it for each backup.
 * @param timeZone an IANA name that has been checked
 */
export function steadyTimeAt(instantMs: number, timeZone: string): SteadyTime {
  const known = remembered.get(timeZone);
  const found = known?.find(({ fromMs, untilMs }) => fromMs <= instantMs && instantMs < untilMs);
  if (found !== undefined) return found;
  const time = reckonSteadyTime(instantMs, timeZone);
  if (rememberedTimes === mostRemembered) {
    remembered.clear();
    rememberedTimes = 0;
  }
  rememberedTimes += 1;
  const times = remembered.get(timeZone);
  if (times === undefined) remembered.set(timeZone, [time]);
  else times.push(time);
  return time;
}

function reckonSteadyTime(instantMs: number, timeZone: string): SteadyTime {
  const local = Temporal.Instant.fromEpochMilliseconds(instantMs).toZonedDateTimeISO(timeZone);
  return {
    // A change at the instant itself begins the period. Clocks change at whole seconds.
    fromMs: local.add({ milliseconds: 1 }).getTimeZoneTransition('previous')?.epochMilliseconds ?? -Infinity,
    untilMs: local.getTimeZoneTransition('next')?.epochMilliseconds ?? Infinity,
    offsetMs: local.offsetNanoseconds / 1_000_000,
    offset: local.offset,
  };
}
