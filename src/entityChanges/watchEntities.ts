import type { Position, RecordedEvent } from '../eventSourcing/event.js';
import type { EventIndex } from '../eventSourcing/eventIndex.js';
import type { EventStore } from '../eventSourcing/eventStore.js';
import type { Feed } from '../eventSourcing/feed.js';
import { beyondTheEnd } from '../jobs/jobChanges.js';
import { listenToChanges } from '../server/changedObjects.js';
import { leavable } from '../server/leavable.js';

export type EntityChange<Row> = {
  readonly kind: 'READY' | 'CHANGED';
  readonly position: Position;
  /** Null in a READY message. */
  readonly row: Row | null;
};

/** One type of stream whose events change the entities of a list. */
export type ChangeSource = {
  readonly streamType: string;
  /** The events that change an entity. Absent: all events of these streams. */
  readonly counts?: (event: RecordedEvent) => boolean;
  /** Where an event has the id that `entitiesOf` understands: the id of its stream, or the service in its data. */
  readonly idIn: 'STREAM' | 'SERVICE_OF_DATA';
  /** The entities that belong to these ids. Absent: the ids are the ids of the entities. */
  readonly entitiesOf?: (ids: readonly string[]) => Promise<readonly string[]>;
};

export type EntitySources = { readonly store: EventStore; readonly eventIndex: EventIndex; readonly feed: Feed };

export type WatchedEntities<Row> = {
  readonly changes: readonly ChangeSource[];
  readonly load: (id: string) => Promise<Row | null>;
  readonly after: Position | undefined;
  /** The projects of the list. Undefined: all. */
  readonly projectIds: readonly string[] | undefined;
  /** Whether the current state of an entity belongs to the list. */
  readonly fits: (row: Row) => boolean | Promise<boolean>;
};

/**
 * Watches a list of entities. Without `after` it starts with READY. With `after` it starts with each entity that changed
 * since then, once and in its current state, and READY follows. Then it yields the current state of each entity that
 * changes. A slow reader skips states. A client misses nothing if it reads the list after the first READY, and subscribes
 * again after the position of any message from READY on.
 */
export async function watchEntities<Row>(
  sources: EntitySources,
  list: WatchedEntities<Row>,
): Promise<AsyncIterableIterator<EntityChange<Row>, undefined>> {
  const { after = 0n, projectIds, changes: kinds } = list;
  if (after > 0n && after > (await sources.store.head())) throw beyondTheEnd();
  /** The newest event of each key that waits for the reader. */
  const newest = new Map<string, Position>();
  const changes = listenToChanges(sources.feed, (event) => {
    const isOfList = event.position > after && (projectIds?.includes(event.projectId) ?? true);
    const kind = isOfList ? kinds.findIndex((each) => isOf(each, event)) : -1;
    const source = kinds[kind];
    if (source === undefined) return undefined;
    const key = `${kind} ${idIn(source, event)}`;
    newest.set(key, event.position);
    return key;
  });
  try {
    const seeds = list.after === undefined ? [] : await changedSince(sources, list, after, changes.from);
    changes.seed(
      seeds.map((id) => `${ownKind} ${id}`),
      list.after,
    );
  } catch (error) {
    changes.close();
    throw error;
  }

  async function* states(): AsyncGenerator<EntityChange<Row>, void, undefined> {
    /** Each entity with the position up to which its sent state contains all events. */
    const sentAt = new Map<string, Position>();
    const position = () => (changes.position() > after ? changes.position() : after);
    try {
      for (let taken = await changes.next(); taken !== undefined; taken = await changes.next()) {
        if (taken === 'READY') {
          yield { kind: 'READY', position: position(), row: null };
          continue;
        }
        const [kind = '', id = ''] = taken.id.split(' ');
        const changedAt = newest.get(taken.id) ?? changes.from;
        newest.delete(taken.id);
        const entities = Number(kind) === ownKind ? [id] : await entitiesOf(kinds[Number(kind)], [id]);
        for (const entity of entities) {
          // One backup may delete many others, and all their events change the same service.
          if ((sentAt.get(entity) ?? -1n) >= changedAt) continue;
          const upTo = changes.delivered();
          const row = await list.load(entity);
          if (row === null || !(await list.fits(row))) continue;
          sentAt.set(entity, upTo);
          yield { kind: 'CHANGED', position: position(), row };
        }
      }
    } finally {
      changes.close();
    }
  }

  return leavable(states(), () => changes.close());
}

/** The kind of a key with the id of an entity. */
const ownKind = -1;

/** The ids of the entities that changed after `after` and up to `until`, each once. */
async function changedSince<Row>(
  sources: EntitySources,
  { changes, projectIds }: WatchedEntities<Row>,
  after: Position,
  until: Position,
): Promise<readonly string[]> {
  const within = projectIds === undefined ? {} : { projectIds };
  const found = new Set<string>();
  for (const source of changes) {
    const { streamType } = source;
    const ids =
      source.idIn === 'STREAM'
        ? await sources.eventIndex.changedStreams({ streamType, after, until, ...within })
        : await namedSince(sources.store, source, { after, until, ...within });
    for (const id of await entitiesOf(source, ids)) found.add(id);
  }
  return [...found];
}

async function namedSince(
  store: EventStore,
  source: ChangeSource,
  range: { readonly after: Position; readonly until: Position; readonly projectIds?: readonly string[] },
): Promise<readonly string[]> {
  const ids = new Set<string>();
  let { after } = range;
  for (;;) {
    const events = await store.read({ ...range, after, streamTypes: [source.streamType] });
    for (const event of events) if (event.position <= range.until) ids.add(idIn(source, event));
    const last = events.at(-1);
    if (last === undefined || last.position >= range.until) return [...ids];
    after = last.position;
  }
}

async function entitiesOf(source: ChangeSource | undefined, ids: readonly string[]): Promise<readonly string[]> {
  return ids.length === 0 || source?.entitiesOf === undefined ? ids : source.entitiesOf(ids);
}

function isOf({ streamType, counts }: ChangeSource, event: RecordedEvent): boolean {
  return event.streamType === streamType && (counts?.(event) ?? true);
}

function idIn({ idIn }: ChangeSource, event: RecordedEvent): string {
  return idIn === 'STREAM' ? event.streamId : String((event.data as { readonly serviceId?: unknown }).serviceId);
}
