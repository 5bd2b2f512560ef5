import type { DataSource } from 'typeorm';
import { StowageError } from '../errors.js';
import type { AnyDecider, Decider } from '../eventSourcing/decider.js';
import type { DomainEvent, EventMetadata, Position, RecordedEvent } from '../eventSourcing/event.js';
import type { EventStore, Loaded, ReadOptions, Transaction } from '../eventSourcing/eventStore.js';
import type { Projection } from '../eventSourcing/projection.js';
import { advisoryLocks } from './advisoryLocks.js';
import { appendedEvent, recordedEvent, type Deciders, type EventRow } from './eventRows.js';
import { schemaStamp } from './migrate.js';
import { pauseToRepeat } from './patience.js';
import {
  isOutage,
  outageAsUnavailable,
  OutcomeUnknown,
  passesWhenRepeated,
  sqlRefusal,
  unavailableOnOutage,
} from './sqlErrors.js';
import { loadStream, StagingTransaction, staleVersion } from './stagingTransaction.js';

export type EventStoreOptions = {
  /** Connects as the role of the program. */
  readonly dataSource: DataSource;
  /** Every event is applied to these projections in this order. */
  readonly projections: readonly Projection[];
  /** All deciders of the program. The decider of its stream type upcasts an event. */
  readonly deciders: readonly AnyDecider[];
};

const repetitions = 5;

/** The event log in PostgreSQL. The migration eventLog explains how an append keeps the order. */
export function createEventStore(options: EventStoreOptions): EventStore {
  return new EventLog(options);
}

class EventLog implements EventStore {
  readonly #dataSource: DataSource;
  readonly #projections: readonly Projection[];
  readonly #deciders: Deciders;
  readonly #stamp: number;

  constructor({ dataSource, projections, deciders }: EventStoreOptions) {
    this.#dataSource = dataSource;
    this.#projections = projections;
    this.#deciders = new Map(deciders.map((decider) => [decider.streamType, decider]));
    this.#stamp = schemaStamp(dataSource);
  }

  async transact<T>(metadata: EventMetadata, work: (tx: Transaction) => Promise<T>): Promise<T> {
    let contended: readonly string[] = [];
    let [outages, contentions] = [0, 0];
    for (;;) {
      const outcome = await this.#attempt(metadata, work, contended);
      if ('done' in outcome) return outcome.done;
      if ('away' in outcome) {
        outages += 1;
        if (!(await pauseToRepeat(outages))) throw outcome.away;
        continue;
      }
      contentions += 1;
      if (contentions > repetitions) throw (await staleStream(this.#dataSource, outcome.tooLate)) ?? outcome.error;
      // The next attempt waits for locks on its streams, so that it does not lose again and again. All writers lock
      // in the same order, so that they do not deadlock.
      contended = [...outcome.tooLate.readVersions.keys()].sort();
    }
  }

  load<State, Command, Event extends DomainEvent>(
    decider: Decider<State, Command, Event>,
    streamId: string,
  ): Promise<Loaded<State>> {
    return unavailableOnOutage(loadStream(this.#dataSource.manager, decider, streamId));
  }

  async read(options: ReadOptions): Promise<readonly RecordedEvent[]> {
    const { sql, parameters } = selection(options);
    const rows = await unavailableOnOutage(this.#dataSource.query<EventRow[]>(sql, parameters));
    return rows.map((row) => recordedEvent(row, this.#deciders));
  }

  async head(): Promise<Position> {
    const [{ head }] = await unavailableOnOutage(
      this.#dataSource.query<[{ head: string }]>('SELECT coalesce(max(position), 0) AS head FROM events'),
    );
    return BigInt(head);
  }

  async #attempt<T>(
    metadata: EventMetadata,
    work: (tx: Transaction) => Promise<T>,
    contended: readonly string[],
  ): Promise<Attempted<T>> {
    let tx: StagingTransaction | undefined;
    let isCommitting = false as boolean;
    try {
      const done = await this.#dataSource.transaction(async (manager) => {
        tx = new StagingTransaction(manager, metadata);
        for (const streamId of contended) {
          await manager.query('SELECT pg_advisory_xact_lock($1, hashtext($2))', [advisoryLocks.streams, streamId]);
        }
        const result = await work(tx);
        await project(tx, this.#projections);
        const appended = JSON.stringify(tx.staged.map(appendedEvent));
        if (tx.staged.length > 0) await manager.query('SELECT append_events($1, $2)', [this.#stamp, appended]);
        isCommitting = true;
        return result;
      });
      return { done };
    } catch (error) {
      const refusal = sqlRefusal(error);
      if (refusal?.sqlState === 'SW001') throw outdated(error);
      if (tx !== undefined && refusal !== undefined && passesWhenRepeated(refusal)) return { tooLate: tx, error };
      const shown = outageAsUnavailable(error);
      if (!isOutage(shown)) throw shown;
      // A server that shuts down may end the session after the commit and before its answer. So an answer of class 57P
      // to COMMIT does not show whether the transaction was committed.
      if (isCommitting) throw new OutcomeUnknown(shown);
      return { away: shown };
    }
  }
}

/** The end of one attempt of a transaction. `away`: PostgreSQL did not answer, and COMMIT was not sent. */
type Attempted<T> =
  { readonly done: T } | { readonly tooLate: StagingTransaction; readonly error: unknown } | { readonly away: unknown };

async function project({ staged, manager }: StagingTransaction, projections: readonly Projection[]): Promise<void> {
  for (const event of staged) {
    for (const projection of projections) {
      if (projection.streamTypes.includes(event.streamType)) await projection.apply(event, manager);
    }
  }
}

function selection({ after = 0n, limit = 500, projectIds, streamTypes, streamId, within }: ReadOptions) {
  const parameters: unknown[] = [after.toString(), limit];
  const conditions = ['position > $1'];
  const narrow = (condition: (placeholder: string) => string, value: unknown) => {
    if (value === undefined) return;
    parameters.push(value);
    conditions.push(condition(`$${parameters.length}`));
  };
  narrow((values) => `project_id = ANY(${values}::text[])`, projectIds);
  narrow((values) => `stream_type = ANY(${values}::text[])`, streamTypes);
  narrow((value) => `stream_id = ${value}`, streamId);
  if (within !== undefined) narrow((value) => `(${within.sql(value)})`, within.parameter);
  return { sql: `SELECT * FROM events WHERE ${conditions.join(' AND ')} ORDER BY position LIMIT $2`, parameters };
}

/** The CONFLICT of the first stream that another writer changed after the transaction read it. */
async function staleStream(dataSource: DataSource, tx: StagingTransaction): Promise<StowageError | undefined> {
  const rows = await dataSource.query<{ stream_id: string; stream_type: string; version: number }[]>(
    'SELECT stream_id, stream_type, max(version) AS version FROM events WHERE stream_id = ANY($1::text[]) GROUP BY 1, 2',
    [[...tx.readVersions.keys()]],
  );
  const moved = rows.find((row) => tx.readVersions.get(row.stream_id) !== row.version);
  if (moved === undefined) return undefined;
  const expected = tx.readVersions.get(moved.stream_id) ?? 0;
  return staleVersion(moved.stream_type, moved.stream_id, expected, moved.version);
}

function outdated(cause: unknown): StowageError {
  return new StowageError(
    'UNAVAILABLE',
    'This replica is older than the schema of the database, so it may not write to the log.',
    { help: 'Update this replica to the version that migrated the database.', retriable: false, cause },
  );
}
