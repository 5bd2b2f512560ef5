import { Field, Float, ID, Int, ObjectType } from 'type-graphql';
import { enumType } from '../server/enumType.js';
import type { JobProgress } from '../postgres/contracts/telemetry.js';
import { BigIntScalar } from '../server/scalars/bigInt.js';
import { DateTime } from '../server/scalars/dateTime.js';
import { Duration } from '../server/scalars/duration.js';
import type { AttemptOutcome } from './attempt.js';

/** GraphQL types that every kind of job uses. */

export const JobPhaseEnum = enumType(
  'JobPhase',
  ['PREFLIGHT', 'DUMPING', 'FINALISING', 'VERIFYING', 'SAFETY_BACKUP', 'FETCHING', 'RESTORING', 'CHECKING'],
  'The phase of a RUNNING job.',
);

export const AttemptOutcomeEnum = enumType(
  'AttemptOutcome',
  ['SUCCEEDED', 'FAILED', 'CANCELLED', 'WORKER_LOST', 'HANDED_BACK'],
  'HANDED_BACK means that the worker returned the job, because it was stopping, or because its tools are too old for the server and another worker has newer ones. It does not count as a try.',
);

@ObjectType('JobError', { description: 'Why a job, or one of its attempts, failed.' })
export class JobErrorType {
  @Field(() => String, { description: 'A code of the catalogue of errors.' })
  readonly code!: string;

  @Field(() => String)
  readonly message!: string;

  @Field(() => String, { nullable: true, description: 'What to do.' })
  readonly hint!: string | null;

  @Field(() => String, { nullable: true, description: 'The last lines of the tool, without secrets.' })
  readonly toolOutput!: string | null;

  @Field(() => Boolean, { description: 'Whether the same attempt may succeed later without any change.' })
  readonly retriable!: boolean;
}

export const TimeoutSourceEnum = enumType(
  'TimeoutSource',
  ['PLAN', 'HISTORY', 'MAXIMUM'],
  "PLAN: the plan sets it. HISTORY: the larger of 24 hours and ten times the median of the plan's last 10 successes. MAXIMUM: the operator allows no more.",
);

@ObjectType('EffectiveTimeout', { description: 'The longest that an attempt may take, and the origin of this limit.' })
export class EffectiveTimeoutType {
  @Field(() => Duration, { name: 'value' })
  readonly ms!: number;

  @Field(() => TimeoutSourceEnum)
  readonly source!: keyof typeof TimeoutSourceEnum;
}

@ObjectType('Attempt', { description: 'One try of a job, by one worker.' })
export class AttemptType {
  @Field(() => Int)
  readonly number!: number;

  @Field(() => String)
  readonly worker!: string;

  @Field(() => DateTime)
  readonly startedAt!: string;

  @Field(() => DateTime, { nullable: true })
  readonly finishedAt!: string | null;

  @Field(() => AttemptOutcomeEnum, { nullable: true, description: 'Null while it runs.' })
  readonly outcome!: AttemptOutcome | null;

  @Field(() => JobErrorType, { nullable: true })
  readonly error!: JobErrorType | null;

  @Field(() => EffectiveTimeoutType, {
    nullable: true,
    description:
      'The limit that applies to this attempt. Null: no limit, or a limit that older versions did not record.',
  })
  readonly timeout?: EffectiveTimeoutType | null | undefined;
}

@ObjectType('Progress', { description: 'The progress of a job.' })
export class ProgressType {
  @Field(() => ID, { description: "The job's." })
  readonly id!: string;

  @Field(() => BigIntScalar, {
    description: 'The bytes that were read from the database, or for a restore from the container.',
  })
  readonly readBytes!: number;

  @Field(() => BigIntScalar, { description: 'Bytes stored in the container.' })
  readonly storedBytes!: number;

  @Field(() => Int)
  readonly segments!: number;

  @Field(() => Float)
  readonly bytesPerSecond!: number;

  @Field(() => Float, { nullable: true, description: 'An estimate from 0 to 1. Null if the total is unknown.' })
  readonly share!: number | null;

  @Field(() => DateTime, {
    nullable: true,
    description:
      'When the dump or the restore ends, at its average speed so far. The amount of a dump is that of the previous backup of the plan, and otherwise an estimate of the server. Null while the speed or the amount is unknown, also while a restore checks the stored objects.',
  })
  readonly estimatedEnd!: string | null;

  @Field(() => DateTime)
  readonly at!: string;

  static of(progress: JobProgress): ProgressType {
    const { jobId: id, readBytes, storedBytes, segments, bytesPerSecond, share, estimatedEnd, at } = progress;
    return Object.assign(new ProgressType(), {
      ...{ id, readBytes, storedBytes, segments, bytesPerSecond, share, estimatedEnd, at },
    });
  }
}
