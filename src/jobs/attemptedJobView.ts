import type { EntityManager, EntitySchema, EntitySchemaColumnOptions } from 'typeorm';
import type { QueryDeepPartialEntity } from 'typeorm/query-builder/QueryPartialEntity.js';
import type { DomainEvent } from '../eventSourcing/event.js';
import type { Projection } from '../eventSourcing/projection.js';
import type { AttemptRecord, JobError } from './attempt.js';
import { attemptsAfter, lifeEvent, type JobShape, type LifeEvent } from './attemptedJob.js';

/** The columns that the read models of all kinds of jobs have. */
export type AttemptedJobRow<Shape extends JobShape = JobShape, Status extends string = string> = {
  readonly id: string;
  readonly projectId: string;
  readonly engine: string;
  readonly requestedBy: string;
  readonly queuedAt: Date;
  readonly maxAttempts: number;
  readonly stallTimeoutMs: number;
  readonly status: Status;
  readonly phase: Shape['phase'] | null;
  /** Belongs to the latest attempt. For a success that is the attempt that succeeded. */
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  /** When the next attempt is due, while the job is QUEUED for it. */
  readonly retryAt: Date | null;
  readonly cancelRequestedBy: string | null;
  readonly error: JobError | null;
  readonly attempt: number;
  readonly attempts: readonly Shape['attempt'][];
  readonly warnings: readonly string[];
  readonly version: number;
};

export const attemptedJobColumns: Record<keyof AttemptedJobRow, EntitySchemaColumnOptions> = {
  id: { type: 'uuid', primary: true },
  projectId: { name: 'project_id', type: 'uuid' },
  engine: { type: 'text' },
  requestedBy: { name: 'requested_by', type: 'text' },
  queuedAt: { name: 'queued_at', type: 'timestamptz' },
  maxAttempts: { name: 'max_attempts', type: 'int' },
  stallTimeoutMs: { name: 'stall_timeout_ms', type: 'double precision' },
  status: { type: 'text' },
  phase: { type: 'text', nullable: true },
  startedAt: { name: 'started_at', type: 'timestamptz', nullable: true },
  finishedAt: { name: 'finished_at', type: 'timestamptz', nullable: true },
  retryAt: { name: 'retry_at', type: 'timestamptz', nullable: true },
  cancelRequestedBy: { name: 'cancel_requested_by', type: 'text', nullable: true },
  error: { type: 'jsonb', nullable: true },
  attempt: { type: 'int' },
  attempts: { type: 'jsonb' },
  warnings: { type: 'jsonb' },
  version: { type: 'int' },
};

type Created<Row> = Partial<Row> | undefined;

type Key = { readonly id: string; readonly projectId: string; readonly version: number };

/**
 * The projection of one kind of job into its table. `created` returns the row for an event that begins a job, and
 * undefined for any other event. `changed` returns the changes of the kind besides the shared columns.
 */
export function attemptedJobProjection<Row extends AttemptedJobRow, Event extends DomainEvent>(options: {
  readonly name: string;
  readonly table: EntitySchema<Row>;
  readonly created: (event: Event, key: Key, manager: EntityManager) => Created<Row> | Promise<Created<Row>>;
  readonly changed: (row: Row, event: Event) => Partial<Row>;
  /** Columns that become NULL when an attempt starts, besides the shared ones. */
  readonly emptiedByStart?: readonly string[];
}): Projection {
  const { name, table, created, changed, emptiedByStart = [] } = options;
  const tableName = table.options.name;

  /**
   * This does not read the row first, because many attempts start at the same time when the ticks of many plans
   * coincide.
   */
  async function startAttempt(manager: EntityManager, { id, version }: Key, started: AttemptStarted) {
    const { attempt } = started.data;
    await manager.query(
      `UPDATE ${tableName}
       SET status = 'RUNNING', phase = 'PREFLIGHT', attempt = $3, attempts = attempts || $4::jsonb, started_at = $5,
         ${['retry_at', 'error', ...emptiedByStart].map((column) => `${column} = NULL`).join(', ')}, version = $2
       WHERE id = $1`,
      [id, version, attempt.number, JSON.stringify(attemptsAfter([], started)), new Date(attempt.startedAt)],
    );
  }

  return {
    name: tableName,
    tables: [tableName],
    streamTypes: [`${name}Job`],
    async apply(streamEvent, manager) {
      const event = streamEvent as unknown as Event;
      const { streamId: id, projectId, version } = streamEvent;
      const key = { id, projectId, version };
      const row = await created(event, key, manager);
      if (row !== undefined) {
        await manager.insert(table, row as QueryDeepPartialEntity<Row>);
        return;
      }
      const life = lifeEvent(name, event);
      if (life?.type === 'AttemptStarted') return startAttempt(manager, key, life);
      if (life?.type === 'PhaseEntered') {
        const { phase } = life.data;
        await manager.query(`UPDATE ${tableName} SET phase = $2, version = $3 WHERE id = $1`, [id, phase, version]);
        return;
      }
      const before = await manager.findOneByOrFail<Row>(table, { id } as never);
      const shared = life === undefined ? {} : changedByLife(before, life);
      const after = { ...shared, ...changed(before, event), version };
      await manager.update(table, { id }, after as QueryDeepPartialEntity<Row>);
    },
  };
}

type AttemptStarted = Extract<LifeEvent, { type: 'AttemptStarted' }>;

/** The shared columns of a job that was just queued. */
export function queuedColumns({ id, projectId, version }: Key, queuedAt: string) {
  const none = { attempt: 0, attempts: [], warnings: [] };
  return { id, projectId, version, queuedAt: new Date(queuedAt), status: 'QUEUED', ...none } as const;
}

function changedByLife(
  row: { readonly attempts: readonly AttemptRecord[] },
  event: LifeEvent,
): Partial<AttemptedJobRow> {
  const attempts = attemptsAfter(row.attempts, event);
  switch (event.type) {
    case 'AttemptEnded': {
      const { error, retryAt } = event.data;
      const again = retryAt === null ? {} : { status: 'QUEUED', retryAt: new Date(retryAt), startedAt: null };
      return { attempts, phase: null, error, ...again };
    }
    case 'Succeeded':
      return { attempts, status: 'SUCCEEDED', phase: null, finishedAt: new Date(event.data.at) };
    case 'Failed':
      return { status: 'FAILED', phase: null, error: event.data.error, finishedAt: new Date(event.data.at) };
    case 'CancelRequested':
      return { cancelRequestedBy: event.data.by };
    case 'Cancelled': {
      const { by, at } = event.data;
      const ended = { status: 'CANCELLED', phase: null, finishedAt: new Date(at), retryAt: null };
      return { attempts, ...ended, cancelRequestedBy: by };
    }
    case 'Queued':
    case 'AttemptStarted':
    case 'PhaseEntered':
      return {};
  }
}
