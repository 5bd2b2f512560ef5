import type { EntityManager } from 'typeorm';
import type { Decider } from './decider.js';
import type { DomainEvent, EventMetadata, Position, RecordedEvent } from './event.js';
import type { Reservations } from './reservations.js';

export type Loaded<State> = {
  readonly state: State;
  /** 0 means that the stream does not exist. */ readonly version: number;
};

export type StreamRef = { readonly id: string; readonly projectId: string };

/**
 * One transaction of the log. It reads streams, decides, and writes projections and reservations. Its last statement
 * appends all events. A stale version of a stream throws CONFLICT.
 */
export interface Transaction {
  /** Reads and writes views and leases in the same transaction. Do not use it for the table of events. */
  readonly manager: EntityManager;
  readonly reservations: Reservations;
  readonly metadata: EventMetadata;
  /** The state of a stream, including the events that this transaction has decided so far. */
  load<State, Command, Event extends DomainEvent>(
    decider: Decider<State, Command, Event>,
    streamId: string,
  ): Promise<Loaded<State>>;
  /**
   * Decides and stages the events, and returns the state after them. If the stream has another version than
   * `expectedVersion`, it throws CONFLICT with both versions in its details.
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
  /** The most events to return. Default: 500. */
  readonly limit?: number;
  readonly projectIds?: readonly string[];
  readonly streamTypes?: readonly string[];
  readonly streamId?: string;
  readonly within?: EventCondition;
};

/** An SQL condition on the columns of `events`, with one parameter. */
export type EventCondition = { readonly sql: (parameter: string) => string; readonly parameter: unknown };

export interface EventStore {
  /**
   * Runs `work` in one transaction and appends the events that it decided. If another writer changed one of its streams
   * meanwhile, `work` runs again on the new state, at most 5 times. So `work` must have no effects outside of the
   * transaction.
   */
  transact<T>(metadata: EventMetadata, work: (tx: Transaction) => Promise<T>): Promise<T>;
  load<State, Command, Event extends DomainEvent>(
    decider: Decider<State, Command, Event>,
    streamId: string,
  ): Promise<Loaded<State>>;
  /** Events in the order of positions, upcast to today's schema. */
  read(options: ReadOptions): Promise<readonly RecordedEvent[]>;
  /** The position of the newest event. 0n for an empty log. */
  head(): Promise<Position>;
}
