import { ZoneClock } from './zoneClock.js';

const clocks = new Map<string, ZoneClock>();

/** The cached clock of a zone. Throws RangeError for a name that the engine does not know. */
export function zoneClockOf(timeZone: string): ZoneClock {
  // The engine accepts names in any case, so all spellings share one clock.
  const key = timeZone.toLowerCase();
  const known = clocks.get(key);
  if (known !== undefined) return known;
  const clock = new ZoneClock(timeZone);
  clocks.set(key, clock);
  return clock;
}
