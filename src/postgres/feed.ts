import type { Position, RecordedEvent } from '../eventSourcing/event.js';
import type { EventStore } from '../eventSourcing/eventStore.js';
import type { Feed } from '../eventSourcing/feed.js';
import type { Notifications } from './notifications.js';

export type RunningFeed = Feed & {
  /** Begins at the log's end. Await it before the first `subscribe`. */
  start(): Promise<void>;
  stop(): Promise<void>;
};

const batch = 500;

/**
 * Tails the log by position. A notification, a new connection and a slow poll all only say "look": what is read comes
 * from the log, so a lost notification delays an event by at most `pollMs` and never loses it.
 */
export function createFeed(options: {
  readonly notifications: Pick<Notifications, 'subscribe' | 'onConnected'>;
  readonly store: Pick<EventStore, 'read' | 'head'>;
  /** Told when the log cannot be read (the feed goes on at the next poll) and when a listener throws. */
  readonly onError: (error: unknown) => void;
  /** Default 5,000. */
  readonly pollMs?: number;
}): RunningFeed {
  const { notifications, store, onError, pollMs = 5_000 } = options;
  const listeners = new Set<(event: RecordedEvent) => void>();
  let delivered: Position | undefined;
  let looking: Promise<void> | undefined;
  let lookAgain = false;
  let stopped = false;
  let poll: NodeJS.Timeout | undefined;
  let unsubscribe: readonly (() => void)[] = [];

  function look(): void {
    lookAgain = true;
    looking ??= catchUp()
      .catch(onError)
      .finally(() => (looking = undefined));
  }

  async function catchUp(): Promise<void> {
    while (lookAgain && !stopped && delivered !== undefined) {
      lookAgain = false;
      const events = await store.read({ after: delivered, limit: batch });
      if (events.length === batch) lookAgain = true;
      for (const event of events) deliver(event);
    }
  }

  function deliver(event: RecordedEvent): void {
    delivered = event.position;
    for (const listener of [...listeners]) {
      try {
        listener(event);
      } catch (error) {
        onError(error);
      }
    }
  }

  return {
    subscribe(listener) {
      if (delivered === undefined) throw new Error('The feed has not been started.');
      // A listener of its own for each subscription, also when the same function subscribes twice.
      const own = (event: RecordedEvent) => listener(event);
      listeners.add(own);
      return { from: delivered, close: () => listeners.delete(own) };
    },

    async start() {
      delivered = await store.head();
      unsubscribe = [
        notifications.subscribe('stowage_events', (newest) => {
          if (delivered !== undefined && BigInt(newest) > delivered) look();
        }),
        notifications.onConnected(look),
      ];
      poll = setInterval(look, pollMs);
      look();
    },

    async stop() {
      stopped = true;
      clearInterval(poll);
      for (const end of unsubscribe) end();
      listeners.clear();
      await looking;
    },
  };
}
