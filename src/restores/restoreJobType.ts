import { Field, Int, ObjectType, registerEnumType } from 'type-graphql';
import { AttemptType, JobErrorType, JobPhaseEnum } from '../jobs/attemptType.js';
import { executionTimeMs } from '../jobs/backupJobType.js';
import { connection } from '../server/connection.js';
import { Node } from '../server/node.js';
import { DateTime } from '../server/scalars/dateTime.js';
import { Duration } from '../server/scalars/duration.js';
import type { RestorePhase } from './restoreJob.js';
import { restoreJobMessage } from './restoreJobMessage.js';
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

@ObjectType('RestoreJob', { implements: Node, description: "One executed restore of a backup's data into a service." })
export class RestoreJobType extends Node {
  /** As it is stored, for the fields that need more than it holds. */
  readonly row!: RestoreJobRow;

  @Field(() => RestoreModeEnum)
  readonly mode!: keyof typeof RestoreModeEnum;

  @Field(() => [DatabaseMappingType], { nullable: true, description: 'Null: all under their own names.' })
  readonly databases!: readonly DatabaseMappingType[] | null;

  @Field(() => RestoreStatusEnum)
  readonly status!: RestoreJobRow['status'];

  @Field(() => JobPhaseEnum, { nullable: true, description: 'Null unless the job is RUNNING.' })
  readonly phase!: RestorePhase | null;

  @Field(() => DateTime)
  readonly queuedAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'Of the latest attempt.' })
  readonly startedAt!: Date | null;

  @Field(() => DateTime, { nullable: true })
  readonly finishedAt!: Date | null;

  @Field(() => Duration, { nullable: true, description: 'From startedAt to finishedAt; null until it has ended.' })
  readonly executionTime!: number | null;

  @Field(() => String)
  readonly requestedBy!: string;

  @Field(() => String, { description: 'One sentence for a person, whatever the status.' })
  readonly message!: string;

  @Field(() => [String])
  readonly warnings!: readonly string[];

  @Field(() => JobErrorType, { nullable: true })
  readonly error!: JobErrorType | null;

  @Field(() => Int, { description: 'The number of the latest attempt; 0 before the first.' })
  readonly attempt!: number;

  @Field(() => [AttemptType])
  readonly attempts!: readonly AttemptType[];

  @Field(() => [InventoryDifferenceType], {
    nullable: true,
    description: "The target afterwards against the backup's inventory; null until it was compared.",
  })
  readonly differences!: readonly InventoryDifferenceType[] | null;

  @Field(() => Int)
  readonly version!: number;

  static of(row: RestoreJobRow): RestoreJobType {
    const { id, mode, status, phase, queuedAt, startedAt, finishedAt, requestedBy, warnings } = row;
    const { error, attempt, attempts, differences, version } = row;
    return Object.assign(new RestoreJobType(), {
      ...{ row, id, mode, status, phase, queuedAt, startedAt, finishedAt, requestedBy, warnings },
      ...{ error, attempt, attempts, differences, version, databases: null },
      executionTime: executionTimeMs(row),
      message: restoreJobMessage(row),
    });
  }
}

export const RestoreJobConnection = connection('RestoreJob', () => RestoreJobType);
