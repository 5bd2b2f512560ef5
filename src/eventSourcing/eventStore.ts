import type { EntityManager } from 'typeorm';
import type { Decider } from './decider.js';
import type { DomainEvent, EventMetadata, Position, RecordedEvent } from './event.js';
import type { Reservations } from './reservations.js';

export type Loaded<State> = { readonly state: State; /** 0: the stream does not exist. */ readonly version: number };

export type StreamRef = { readonly id: string; readonly projectId: string };

/**
 * One transaction of the log: streams are read and decided on, projections and reservations are written, and all
 * events are appended by one statement at the very end. A stale version ends in CONFLICT.
 */
export interface Transaction {
  /** For queries and writes of views and leases in the same transaction. Never for the events table. */
  readonly manager: EntityManager;
  readonly reservations: Reservations;
  readonly metadata: EventMetadata;
  /** The stream as it is, including what this transaction has decided so far. */
  load<State, Command, Event extends DomainEvent>(
    decider: Decider<State, Command, Event>,
    streamId: string,
  ): Promise<Loaded<State>>;
  /**
   * Decides and stages the events. `expectedVersion` is what the client believes; another one is CONFLICT with both in
   * details. Returns the state afterwards.
   */
  execute<State, Command, Event extends DomainEvent>(
    decider: Decider<State, Command, Event>,
    stream: StreamRef,
    command: Command,
    expectedVersion?: number,
  ): Promise<Loaded<State>>;
}

export type ReadOptions = {
  readonly after?: Position;
  /** At most this many; default 500. */
  readonly limit?: number;
  readonly projectIds?: readonly string[];
  readonly streamTypes?: readonly string[];
  readonly streamId?: string;
};

export interface EventStore {
  /**
   * Runs `work` in one transaction and appends what it decided. When another writer was faster on a stream for which
   * no expectedVersion was given, `work` runs again on the new state (at most 5 times), so it must have no effects
   * outside the transaction.
   */
  transact<T>(metadata: EventMetadata, work: (tx: Transaction) => Promise<T>): Promise<T>;
  load<State, Command, Event extends DomainEvent>(
    decider: Decider<State, Command, Event>,
    streamId: string,
  ): Promise<Loaded<State>>;
  /** Events in the order of positions, upcast to today's schema. */
  read(options: ReadOptions): Promise<readonly RecordedEvent[]>;
  /** The position of the newest event; 0n for an empty log. */
  head(): Promise<Position>;
}
