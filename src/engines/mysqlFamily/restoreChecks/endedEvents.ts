import type { Inventory } from '../../inventory.js';
import { listed } from '../checks/listed.js';

/**
 * A server drops an event at once if it is created after its end, unless it is ON COMPLETION PRESERVE. The times of an event
 * are in its time zone, so an event that ends within hours may be missing in the list.
 */
export function warnOfEndedEvents({ databases }: Inventory, now: Date): readonly string[] {
  const utc = now.toISOString().slice(0, 19).replace('T', ' ');
  const ended = databases.flatMap(({ name, definitions = {} }) =>
    Object.entries(definitions['events'] ?? {}).flatMap(([event, { parts = {} }]) => {
      const [, end] = /(?:^AT| ENDS) (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)/.exec(parts['schedule'] ?? '') ?? [];
      return end !== undefined && end < utc && parts['completion'] === 'NOT PRESERVE' ? [`${name}.${event}`] : [];
    }),
  );
  return listed(
    ended,
    'These events have ended and are not ON COMPLETION PRESERVE, so the target drops them as soon as they are restored',
  );
}
