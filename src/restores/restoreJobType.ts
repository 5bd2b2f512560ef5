import { Field, Int, ObjectType, registerEnumType } from 'type-graphql';
import { AttemptType, JobErrorType, JobPhaseEnum } from '../jobs/attemptType.js';
import { executionTimeMs } from '../backups/api/backupJobType.js';
import { connection } from '../server/connection.js';
import { Node } from '../server/node.js';
import { DateTime } from '../server/scalars/dateTime.js';
import { Duration } from '../server/scalars/duration.js';
import type { RestorePhase } from './restoreJob.js';
import type { RestoreJobRow } from './restoreJobView.js';

export const RestoreStatusEnum = {
  QUEUED: 'QUEUED',
  RUNNING: 'RUNNING',
  SUCCEEDED: 'SUCCEEDED',
  FAILED: 'FAILED',
  CANCELLED: 'CANCELLED',
} as const;
registerEnumType(RestoreStatusEnum, { name: 'RestoreStatus' });

export const RestoreModeEnum = { IN_PLACE: 'IN_PLACE', AS_NEW: 'AS_NEW' } as const;
registerEnumType(RestoreModeEnum, {
  name: 'RestoreMode',
  description: 'AS_NEW never touches a database that exists.',
});

@ObjectType('DatabaseMapping')
export class DatabaseMappingType {
  @Field(() => String)
  readonly from!: string;

  @Field(() => String)
  readonly to!: string;
}

@ObjectType('InventoryDifference')
export class InventoryDifferenceType {
  @Field(() => String)
  readonly path!: string;

  @Field(() => String, { nullable: true })
  readonly expected!: string | null;

  @Field(() => String, { nullable: true })
  readonly actual!: string | null;
}

/** A restore as it is shown. Its fields are read off the row when they are asked for. */
@ObjectType('RestoreJob', { implements: Node, description: "One executed restore of a backup's data into a service." })
export class RestoreJobType extends Node {
  override readonly id: string;

  constructor(
    /** As it is stored, for the fields that need more. */
    readonly row: RestoreJobRow,
  ) {
    super();
    this.id = row.id;
  }

  @Field(() => RestoreModeEnum)
  get mode(): keyof typeof RestoreModeEnum {
    return this.row.mode;
  }

  @Field(() => [DatabaseMappingType], { nullable: true, description: 'Null: all under their own names.' })
  get databases(): readonly DatabaseMappingType[] | null {
    return null;
  }

  @Field(() => RestoreStatusEnum)
  get status(): RestoreJobRow['status'] {
    return this.row.status;
  }

  @Field(() => JobPhaseEnum, { nullable: true, description: 'Null unless the job is RUNNING.' })
  get phase(): RestorePhase | null {
    return this.row.phase;
  }

  @Field(() => DateTime)
  get queuedAt(): Date {
    return this.row.queuedAt;
  }

  @Field(() => DateTime, { nullable: true, description: 'Of the latest attempt.' })
  get startedAt(): Date | null {
    return this.row.startedAt;
  }

  @Field(() => DateTime, { nullable: true })
  get finishedAt(): Date | null {
    return this.row.finishedAt;
  }

  @Field(() => Duration, { nullable: true, description: 'From startedAt to finishedAt; null until it has ended.' })
  get executionTime(): number | null {
    return executionTimeMs(this.row);
  }

  @Field(() => String)
  get requestedBy(): string {
    return this.row.requestedBy;
  }

  @Field(() => [String])
  get warnings(): readonly string[] {
    return this.row.warnings;
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

  @Field(() => [InventoryDifferenceType], {
    nullable: true,
    description: "The target afterwards against the backup's inventory; null until it was compared.",
  })
  get differences(): readonly InventoryDifferenceType[] | null {
    return this.row.differences;
  }

  @Field(() => Int)
  get version(): number {
    return this.row.version;
  }
}

export const RestoreJobConnection = connection('RestoreJob', () => RestoreJobType);
