import type { Position, RecordedEvent } from './event.js';
import type { ReadOptions } from './eventStore.js';

/** Queries of the log other than reading in order. */
export interface EventIndex {
  /** Undefined for an unknown id. */
  find(eventId: string): Promise<RecordedEvent | undefined>;
  count(options: Pick<ReadOptions, 'projectIds' | 'streamId' | 'within'>): Promise<number>;
  /** The ids of streams with an event after `after` and up to `until`, ordered by the newest of those events. */
  changedStreams(options: {
    readonly streamType: string;
    readonly after: Position;
    readonly until: Position;
    readonly projectIds?: readonly string[];
  }): Promise<readonly string[]>;
}
