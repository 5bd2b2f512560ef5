import type { Position, RecordedEvent } from '../eventSourcing/event.js';
import type { EventStore } from '../eventSourcing/eventStore.js';
import type { Feed, FeedSubscription } from '../eventSourcing/feed.js';
import type { Notifications } from './notifications.js';

export type RunningFeed = Feed & {
  /** Starts at the end of the log. Await this before the first `subscribe`. */
  start(): Promise<void>;
  stop(): Promise<void>;
};

const batch = 500;
/** How many of the newest events are remembered, to detect that PostgreSQL was restored to an older state. */
const rememberedEvents = 100;

export type FeedOptions = {
  readonly notifications: Pick<Notifications, 'subscribe' | 'onConnected'>;
  readonly store: Pick<EventStore, 'read' | 'head'>;
  /** Called when the log cannot be read (the feed continues at the next poll) and when a listener throws. */
  readonly onError: (error: unknown) => void;
  /** Default 5,000. */
  readonly pollMs?: number;
};

/**
 * Tails the log by position. A notification, a new connection and a slow poll only trigger a read of the log, so a lost
 * notification delays an event by at most `pollMs`. PostgreSQL may return in an older state, for example if a replica
 * takes over that has not received all events. New events then have positions that were delivered before. The feed
 * detects this and delivers all events after the last one that is still in the log.
 */
export function createFeed(options: FeedOptions): RunningFeed {
  return new LogFeed(options);
}

class LogFeed implements RunningFeed {
  readonly #listeners = new Set<(event: RecordedEvent) => void>();
  #delivered: Position | undefined;
  /** The newest events that were delivered, or existed at the start. The oldest comes first. */
  #known: Pick<RecordedEvent, 'position' | 'eventId'>[] = [];
  #mayHaveGoneBack = false;
  #reading: Promise<void> | undefined;
  #readAgain = false;
  #stopped = false;
  #poll: NodeJS.Timeout | undefined;
  #unsubscribe: readonly (() => void)[] = [];

  constructor(private readonly options: FeedOptions) {}

  subscribe(listener: (event: RecordedEvent) => void): FeedSubscription {
    if (this.#delivered === undefined) throw new Error('The feed has not been started.');
    // A new function for each subscription, because the same listener may subscribe twice.
    const own = (event: RecordedEvent) => listener(event);
    this.#listeners.add(own);
    return { from: this.#delivered, close: () => this.#listeners.delete(own) };
  }

  async start(): Promise<void> {
    const { store, notifications, pollMs = 5_000 } = this.options;
    const head = await store.head();
    this.#delivered = head;
    this.#known = [...(await store.read({ after: head - 1n, limit: 1 }))];
    this.#unsubscribe = [
      notifications.subscribe('stowage_events', (newest) => {
        if (this.#delivered !== undefined && BigInt(newest) > this.#delivered) this.#read();
      }),
      notifications.onConnected(() => {
        this.#mayHaveGoneBack = true;
        this.#read();
      }),
    ];
    this.#poll = setInterval(() => this.#read(), pollMs);
    this.#read();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#poll);
    for (const end of this.#unsubscribe) end();
    this.#listeners.clear();
    await this.#reading;
  }

  #read(): void {
    this.#readAgain = true;
    this.#reading ??= this.#catchUp()
      .catch(this.options.onError)
      .finally(() => (this.#reading = undefined));
  }

  async #catchUp(): Promise<void> {
    while (this.#readAgain && !this.#stopped && this.#delivered !== undefined) {
      this.#readAgain = false;
      if (this.#mayHaveGoneBack) await this.#goBackWithTheLog();
      const events = await this.options.store.read({ after: this.#delivered, limit: batch });
      if (events.length === batch) this.#readAgain = true;
      for (const event of events) this.#deliver(event);
    }
  }

  async #goBackWithTheLog(): Promise<void> {
    const { store, onError } = this.options;
    const [oldest] = this.#known;
    if (oldest !== undefined) {
      const there = await store.read({ after: oldest.position - 1n, limit: this.#known.length });
      const ids = new Set(there.map(({ eventId }) => eventId));
      const firstLost = this.#known.findIndex(({ eventId }) => !ids.has(eventId));
      if (firstLost >= 0) {
        const head = await store.head();
        const before = this.#known[firstLost - 1]?.position ?? oldest.position - 1n;
        const restart = before < head ? before : head;
        this.#delivered = restart;
        this.#known = this.#known.slice(0, firstLost);
        onError(new Error(`The log has gone back to position ${restart}: PostgreSQL has returned in an older state.`));
      }
    }
    this.#mayHaveGoneBack = false;
  }

  #deliver(event: RecordedEvent): void {
    const { position, eventId } = event;
    this.#delivered = position;
    this.#known.push({ position, eventId });
    if (this.#known.length > rememberedEvents) this.#known.shift();
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch (error) {
        this.options.onError(error);
      }
    }
  }
}
