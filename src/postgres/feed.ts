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
/** So many of the newest events are known again after PostgreSQL was away. */
const rememberedEvents = 100;

/**
 * Tails the log by position. A notification, a new connection and a slow poll all only say "look": what is read comes
 * from the log, so a lost notification delays an event by at most `pollMs` and never loses it. PostgreSQL may come again
 * in an older state (a replica that had not got everything takes over): what is appended then has positions that were
 * delivered before, and is told all the same, from where the log was left.
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
  /** The newest that were delivered, or there at the start; the oldest first. */
  let known: Pick<RecordedEvent, 'position' | 'eventId'>[] = [];
  let mayHaveGoneBack = false;
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
      if (mayHaveGoneBack) await goBackWithTheLog();
      const events = await store.read({ after: delivered, limit: batch });
      if (events.length === batch) lookAgain = true;
      for (const event of events) deliver(event);
    }
  }

  async function goBackWithTheLog(): Promise<void> {
    const [oldest] = known;
    if (oldest !== undefined) {
      const there = await store.read({ after: oldest.position - 1n, limit: known.length });
      const ids = new Set(there.map(({ eventId }) => eventId));
      const firstLost = known.findIndex(({ eventId }) => !ids.has(eventId));
      if (firstLost >= 0) {
        const head = await store.head();
        const before = known[firstLost - 1]?.position ?? oldest.position - 1n;
        delivered = before < head ? before : head;
        known = known.slice(0, firstLost);
        onError(
          new Error(`The log has gone back to position ${delivered}: PostgreSQL has come again in an older state.`),
        );
      }
    }
    mayHaveGoneBack = false;
  }

  function deliver(event: RecordedEvent): void {
    delivered = event.position;
    const { position, eventId } = event;
    known.push({ position, eventId });
    if (known.length > rememberedEvents) known.shift();
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
      known = [...(await store.read({ after: delivered - 1n, limit: 1 }))];
      unsubscribe = [
        notifications.subscribe('stowage_events', (newest) => {
          if (delivered !== undefined && BigInt(newest) > delivered) look();
        }),
        notifications.onConnected(() => {
          mayHaveGoneBack = true;
          look();
        }),
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
