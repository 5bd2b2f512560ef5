import type { Position, RecordedEvent } from './event.js';

/**
 * Delivers new events of the log in the order of positions. One connection listens for all subscribers of a process. A
 * listener must return immediately and must not throw.
 */
export interface Feed {
  /** Calls `listener` for every event after the returned position `from`, without gaps. */
  subscribe(listener: (event: RecordedEvent) => void): FeedSubscription;
}

export interface FeedSubscription {
  /** The newest position that was delivered before this subscription began. */
  readonly from: Position;
  close(): void;
}
