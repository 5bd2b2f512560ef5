import { Temporal } from 'temporal-polyfill';

/** A time through which the clocks of a zone do not change. */
export type SteadyTime = {
  /** Its first instant, and the first after it; infinite where no change is known. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** What the zone's clocks show more than UTC's, always less than a day. */
  readonly offsetMs: number;
  /** The same as text, for example `+05:45`. */
  readonly offset: string;
};

/** Two a year in most zones: enough for all zones at once over decades, and less than a megabyte. */
const mostRemembered = 20_000;
const remembered = new Map<string, SteadyTime[]>();
let rememberedTimes = 0;

/**
 * The time around an instant in which the zone keeps its distance from UTC. Remembered, for asking the calendar takes
 * some 20 µs, and a sweep of retention asks for each backup.
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
    // A change at the instant itself begins the time, and clocks change on whole seconds.
    fromMs: local.add({ milliseconds: 1 }).getTimeZoneTransition('previous')?.epochMilliseconds ?? -Infinity,
    untilMs: local.getTimeZoneTransition('next')?.epochMilliseconds ?? Infinity,
    offsetMs: local.offsetNanoseconds / 1_000_000,
    offset: local.offset,
  };
}
