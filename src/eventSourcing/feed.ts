import type { Position, RecordedEvent } from './event.js';

/**
 * The log as it grows, in order of positions, in this process. One connection listens for all; a listener must return
 * at once (put work aside) and must not throw.
 */
export interface Feed {
  /** Calls `listener` for every event after the position that `subscribe` returns as `from`. Nothing is skipped. */
  subscribe(listener: (event: RecordedEvent) => void): FeedSubscription;
}

export interface FeedSubscription {
  /** The newest position delivered before this subscription began. */
  readonly from: Position;
  close(): void;
}
