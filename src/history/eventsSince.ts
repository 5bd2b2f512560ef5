import { StowageError } from '../errors.js';
import type { Position, RecordedEvent } from '../eventSourcing/event.js';
import type { EventCondition, EventStore } from '../eventSourcing/eventStore.js';
import type { Feed } from '../eventSourcing/feed.js';
import { leavable } from '../server/leavable.js';
import { boundedMailbox, type BoundedMailbox } from '../server/mailbox.js';

export type EventSelection = {
  /** Undefined: only later events. */
  readonly after: Position | undefined;
  /** Undefined: all projects. */
  readonly projectIds: readonly string[] | undefined;
  /** Undefined: all types. */
  readonly streamTypes: readonly string[] | undefined;
  /** Whether the reader may see an event of these projects. Absent: the reader may see all of them. */
  readonly mayRead?: (event: RecordedEvent) => Promise<boolean>;
  /** The same for events that are read from the log. */
  readonly within?: EventCondition;
};

const batch = 200;
/** The most unread events of a live reader. With one more it ends with SLOW_CONSUMER. */
const mostWaiting = 1_000;

type Sources = { readonly store: Pick<EventStore, 'read'>; readonly feed: Feed };
type Live = { readonly mailbox: BoundedMailbox<RecordedEvent>; readonly from: Position; close(): void };

/**
 * The events of the log in order, without gaps and duplicates. Old events are read at the pace of the reader. A live
 * reader with more than 1,000 unread events ends with SLOW_CONSUMER, and can continue after the last event that it
 * received. If PostgreSQL is restored to an older state, the readers end with UNAVAILABLE.
 */
export function eventsSince(
  sources: Sources,
  selection: EventSelection,
  limit = mostWaiting,
): AsyncIterableIterator<RecordedEvent, undefined> {
  const { after, mayRead = () => Promise.resolve(true) } = selection;
  // Without a position the reader starts at the time of its request.
  let liveEvents = after === undefined ? subscribeToFeed(sources, selection, limit) : undefined;
  let isLeft = false;
  const leave = () => {
    isLeft = true;
    liveEvents?.close();
  };

  async function* events(): AsyncGenerator<RecordedEvent, void, undefined> {
    try {
      let position = after ?? liveEvents?.from ?? 0n;
      const moveTo = (event: RecordedEvent) => {
        position = event.position;
        return event;
      };
      if (liveEvents === undefined) {
        for await (const event of readOn(sources, selection, position, () => isLeft)) yield moveTo(event);
        if (isLeft) return;
        // The feed delivers all events from this point on. Earlier events are read from the log.
        liveEvents = subscribeToFeed(sources, selection, limit);
        for await (const event of readOn(sources, selection, position, () => false)) yield moveTo(event);
      }
      for await (const event of liveEvents.mailbox) {
        if (event.position > position && (await mayRead(event))) yield moveTo(event);
      }
    } finally {
      leave();
    }
  }

  return leavable(events(), leave);
}

/** The events in the log after `after`, up to the end or until `isLeft` returns true after a batch. */
async function* readOn(
  { store }: Sources,
  { projectIds, streamTypes, within }: EventSelection,
  after: Position,
  isLeft: () => boolean,
): AsyncGenerator<RecordedEvent, void, undefined> {
  const narrowed = {
    ...(projectIds === undefined ? {} : { projectIds }),
    ...(streamTypes === undefined ? {} : { streamTypes }),
    ...(within === undefined ? {} : { within }),
  };
  let position = after;
  for (let isBehind = true; isBehind && !isLeft();) {
    const old = await store.read({ ...narrowed, after: position, limit: batch });
    isBehind = old.length === batch;
    for (const event of old) {
      position = event.position;
      yield event;
    }
  }
}

function subscribeToFeed({ feed }: Sources, { projectIds, streamTypes }: EventSelection, limit: number): Live {
  const mailbox = boundedMailbox<RecordedEvent>(limit);
  let newest: Position | undefined;
  const subscription = feed.subscribe((event) => {
    if (event.position <= (newest ?? subscription.from)) mailbox.fail(goneBack());
    newest = event.position;
    if (projectIds?.includes(event.projectId) === false) return;
    if (streamTypes?.includes(event.streamType) === false) return;
    mailbox.put(event);
  });
  const close = () => {
    subscription.close();
    void mailbox.return();
  };
  return { mailbox, close, from: subscription.from };
}

function goneBack(): StowageError {
  return new StowageError('UNAVAILABLE', 'The log has gone back: PostgreSQL has returned in an older state.', {
    help: 'Subscribe again without after, and read all data again: the last events that you received may no longer exist.',
  });
}
