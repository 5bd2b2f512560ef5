import type { Position, RecordedEvent } from './event.js';
import type { ReadOptions } from './eventStore.js';

/** What is asked of the log besides reading on from a position. */
export interface EventIndex {
  /** Undefined: there is no event of that id. */
  find(eventId: string): Promise<RecordedEvent | undefined>;
  count(options: Pick<ReadOptions, 'projectIds' | 'streamId'>): Promise<number>;
  /** The ids of streams with an event after `after` and not after `until`, by the newest of those events. */
  changedStreams(options: {
    readonly streamType: string;
    readonly after: Position;
    readonly until: Position;
    readonly projectIds?: readonly string[];
  }): Promise<readonly string[]>;
}
