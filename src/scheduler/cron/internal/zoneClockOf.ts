import { ZoneClock } from './zoneClock.js';

const clocks = new Map<string, ZoneClock>();

/** The clock of a zone, made once. Throws RangeError for a name that the engine does not know. */
export function zoneClockOf(timeZone: string): ZoneClock {
  // Names differ in case only by mistake, and the engine takes them all.
  const key = timeZone.toLowerCase();
  const known = clocks.get(key);
  if (known !== undefined) return known;
  const clock = new ZoneClock(timeZone);
  clocks.set(key, clock);
  return clock;
}
