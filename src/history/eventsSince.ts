import { StowageError } from '../errors.js';
import type { Position, RecordedEvent } from '../eventSourcing/event.js';
import type { EventStore } from '../eventSourcing/eventStore.js';
import type { Feed } from '../eventSourcing/feed.js';
import { leavable } from '../server/leavable.js';
import { boundedMailbox, type BoundedMailbox } from '../server/mailbox.js';

export type EventSelection = {
  /** Undefined: from now on. */
  readonly after: Position | undefined;
  /** Undefined: all. */
  readonly projectIds: readonly string[] | undefined;
  /** Undefined: all. */
  readonly streamTypes: readonly string[] | undefined;
};

const batch = 200;
/** Events that may wait for a reader of the live end; one more is SLOW_CONSUMER. */
const mostWaiting = 1_000;

/**
 * The log in order, nothing skipped or twice. What is old is read as fast as the reader takes it; at the live end a
 * reader who leaves more than 1,000 events unread is ended with SLOW_CONSUMER, and goes on after the last one it saw. One
 * who is there when the log goes back, with PostgreSQL, to an older state is ended with UNAVAILABLE.
 */
export function eventsSince(
  sources: { readonly store: Pick<EventStore, 'read'>; readonly feed: Feed },
  selection: EventSelection,
  limit = mostWaiting,
): AsyncIterableIterator<RecordedEvent, undefined> {
  const { after, projectIds, streamTypes } = selection;
  const narrowed = {
    ...(projectIds === undefined ? {} : { projectIds }),
    ...(streamTypes === undefined ? {} : { streamTypes }),
  };
  let live: { readonly mailbox: BoundedMailbox<RecordedEvent>; close(): void } | undefined;
  let isLeft = false;
  const listen = () => {
    const mailbox = boundedMailbox<RecordedEvent>(limit);
    let newest: Position | undefined;
    const subscription = sources.feed.subscribe((event) => {
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
  };
  const leave = () => {
    isLeft = true;
    live?.close();
  };
  // Without a place to begin at, now is when the reader asked.
  const begun = after === undefined ? listen() : undefined;
  live = begun;

  async function* events(): AsyncGenerator<RecordedEvent, void, undefined> {
    try {
      let position = after ?? begun?.from ?? 0n;
      if (live === undefined) {
        for (let isBehind = true; isBehind && !isLeft;) {
          const old = await sources.store.read({ ...narrowed, after: position, limit: batch });
          isBehind = old.length === batch;
          for (const event of old) {
            position = event.position;
            yield event;
          }
        }
        if (isLeft) return;
        // From here on the feed tells; what was appended before that is read once more.
        live = listen();
        for (let isBehind = true; isBehind;) {
          const old = await sources.store.read({ ...narrowed, after: position, limit: batch });
          isBehind = old.length === batch;
          for (const event of old) {
            position = event.position;
            yield event;
          }
        }
      }
      for await (const event of live.mailbox) {
        if (event.position <= position) continue;
        position = event.position;
        yield event;
      }
    } finally {
      leave();
    }
  }

  return leavable(events(), leave);
}

function goneBack(): StowageError {
  return new StowageError('UNAVAILABLE', 'The log has gone back: PostgreSQL has come again in an older state.', {
    help: 'Subscribe again without after, and read anew what you show: what came last may never have happened.',
  });
}
