import { Field, Int, ObjectType } from 'type-graphql';
import { Node } from '../server/node.js';
import { DateTime } from '../server/scalars/dateTime.js';
import { Duration } from '../server/scalars/duration.js';
import { AttemptType, JobErrorType, JobPhaseEnum } from './attemptType.js';
import type { AttemptedJobRow } from './attemptedJobView.js';

/**
 * The fields that every kind of job has. The GraphQL type of a kind extends this class, which is not itself a type of
 * the schema. Fields are computed from the row when a query selects them, because most pages select only a few.
 */
@ObjectType('AttemptedJob')
export abstract class AttemptedJobType<Row extends AttemptedJobRow = AttemptedJobRow> extends Node {
  override readonly id: string;

  constructor(
    /** The stored row, for resolvers of fields that need more. */
    readonly row: Row,
  ) {
    super();
    this.id = row.id;
  }

  /** A sentence for a person. Every status has one. */
  abstract currentMessage(): string;

  @Field(() => String)
  get requestedBy(): string {
    return this.row.requestedBy;
  }

  @Field(() => JobPhaseEnum, { nullable: true, description: 'Null unless the job is RUNNING.' })
  get phase(): Row['phase'] {
    return this.row.phase;
  }

  @Field(() => DateTime)
  get queuedAt(): Date {
    return this.row.queuedAt;
  }

  @Field(() => DateTime, { nullable: true, description: 'The value of the latest attempt.' })
  get startedAt(): Date | null {
    return this.row.startedAt;
  }

  @Field(() => DateTime, { nullable: true })
  get finishedAt(): Date | null {
    return this.row.finishedAt;
  }

  @Field(() => Duration, {
    nullable: true,
    description: 'The time from startedAt to finishedAt. Null until the job has ended.',
  })
  get executionTime(): number | null {
    return executionTimeMs(this.row);
  }

  @Field(() => JobErrorType, { nullable: true })
  get error(): JobErrorType | null {
    return this.row.error;
  }

  @Field(() => Int, { description: 'The number of the latest attempt; 0 before the first.' })
  get attempt(): number {
    return this.row.attempt;
  }

  @Field(() => [AttemptType])
  get attempts(): readonly AttemptType[] {
    return this.row.attempts;
  }

  @Field(() => [String])
  get warnings(): readonly string[] {
    return this.row.warnings;
  }

  @Field(() => Int)
  get version(): number {
    return this.row.version;
  }
}

/** Milliseconds. Null for a job that has not ended, and for a job that never started. */
export function executionTimeMs(job: { readonly startedAt: Date | null; readonly finishedAt: Date | null }) {
  if (job.startedAt === null || job.finishedAt === null) return null;
  return Math.max(0, job.finishedAt.getTime() - job.startedAt.getTime());
}
