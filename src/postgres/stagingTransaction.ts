import type { EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { StowageError } from '../errors.js';
import { fold, type Decider } from '../eventSourcing/decider.js';
import type { DomainEvent, EventMetadata, StreamEvent } from '../eventSourcing/event.js';
import type { Loaded, StreamRef, Transaction } from '../eventSourcing/eventStore.js';
import type { Reservations } from '../eventSourcing/reservations.js';
import { upcast } from '../eventSourcing/upcasting.js';
import { createReservations } from './reservations.js';

/** Collects the decided events. The event store appends them when the work is done. */
export class StagingTransaction implements Transaction {
  readonly reservations: Reservations;
  readonly staged: StreamEvent[] = [];
  /** The versions of the streams that this transaction has read. The append relies on them. */
  readonly readVersions = new Map<string, number>();
  readonly #streams = new Map<string, Loaded<unknown>>();

  constructor(
    readonly manager: EntityManager,
    readonly metadata: EventMetadata,
  ) {
    this.reservations = createReservations(manager);
  }

  async load<State, Command, Event extends DomainEvent>(
    decider: Decider<State, Command, Event>,
    streamId: string,
  ): Promise<Loaded<State>> {
    const known = this.#streams.get(key(decider, streamId));
    if (known !== undefined) return known as Loaded<State>;
    const loaded = await loadStream(this.manager, decider, streamId);
    this.#streams.set(key(decider, streamId), loaded);
    this.readVersions.set(streamId, loaded.version);
    return loaded;
  }

  async execute<State, Command, Event extends DomainEvent>(
    decider: Decider<State, Command, Event>,
    stream: StreamRef,
    command: Command,
    expectedVersion?: number,
  ): Promise<Loaded<State>> {
    const before = await this.load(decider, stream.id);
    if (expectedVersion !== undefined && expectedVersion !== before.version) {
      throw staleVersion(decider.streamType, stream.id, expectedVersion, before.version);
    }
    const decided = decider.decide(command, before.state).map(asStored);
    for (const [index, { type, data }] of decided.entries()) {
      this.staged.push({
        type,
        data,
        eventId: uuidv7(),
        streamId: stream.id,
        streamType: decider.streamType,
        version: before.version + index + 1,
        schemaVersion: decider.schemaVersions?.[type] ?? 1,
        metadata: this.metadata,
        projectId: stream.projectId,
      });
    }
    const after = {
      state: fold(
        { initial: before.state, evolve: (state: State, event: Event) => decider.evolve(state, event) },
        decided,
      ),
      version: before.version + decided.length,
    };
    this.#streams.set(key(decider, stream.id), after);
    return after;
  }
}

/** Reads a stream and computes its state. A stream of another type is treated as missing. */
export async function loadStream<State, Command, Event extends DomainEvent>(
  manager: EntityManager,
  decider: Decider<State, Command, Event>,
  streamId: string,
): Promise<Loaded<State>> {
  const rows = await manager.query<{ type: string; schema_version: number; data: Record<string, unknown> }[]>(
    'SELECT type, schema_version, data FROM events WHERE stream_id = $1 AND stream_type = $2 ORDER BY version',
    [streamId, decider.streamType],
  );
  const events = rows.map(({ type, schema_version: schemaVersion, data }) => {
    return { type, data: upcast(decider, type, { schemaVersion, data }).data } as DomainEvent as Event;
  });
  return { state: fold(decider, events), version: rows.length };
}

export function staleVersion(
  streamType: string,
  streamId: string,
  expectedVersion: number,
  actualVersion: number,
): StowageError {
  return new StowageError(
    'CONFLICT',
    `The ${streamType} has changed: it is at version ${actualVersion}, not at ${expectedVersion}.`,
    { details: { streamId, expectedVersion, actualVersion } },
  );
}

/** The event as it will be read from the log, so that a projection receives the same data now and in a rebuild. */
function asStored<Event extends DomainEvent>({ type, data }: Event): Event {
  const text = JSON.stringify({ type, data });
  // The JSON escapes of `unstorable` characters. Almost no event has them, so the slower path is rare.
  if (!/\\u(?:0000|d[89a-f])/i.test(text)) return JSON.parse(text) as Event;
  return JSON.parse(text, (_, value: unknown) =>
    typeof value === 'string' ? value.replace(unstorable, '\uFFFD') : value,
  ) as Event;
}

/**
 * Characters that PostgreSQL refuses in a text: NUL and unpaired surrogates. Messages of tools and servers may contain
 * them, and must be stored nevertheless.
 */
const unstorable = /[\0\p{Surrogate}]/gu;

function key(decider: { readonly streamType: string }, streamId: string): string {
  return `${decider.streamType} ${streamId}`;
}
