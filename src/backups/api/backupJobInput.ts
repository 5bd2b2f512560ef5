import { Field, ID, InputType } from 'type-graphql';
import { DateTime } from '../../server/scalars/dateTime.js';
import { OneOf } from '../../server/oneOf.js';
import { enumType } from '../../server/enumType.js';
import type { BackupTrigger } from '../backupJob.js';
import { BackupAvailabilityEnum, JobStatusEnum, TriggerEnum, type BackupAvailability } from './backupJobType.js';
import type { BackupJobStatus } from '../backupJobView.js';

@InputType('ServiceBackupInput')
export class ServiceBackupInput {
  @Field(() => ID)
  readonly serviceId!: string;

  @Field(() => ID)
  readonly fileEndpointId!: string;

  @Field(() => Boolean, {
    defaultValue: true,
    description:
      'Whether it ends with SERVICE_BUSY, and is tried again, if another session waits too long for one of its locks.',
  })
  readonly yieldToLocks!: boolean;
}

@InputType('StartBackupInput', {
  description: 'Either a plan, with one job for each of its destinations, or a service and a file endpoint.',
})
@OneOf()
export class StartBackupInput {
  @Field(() => ID, { nullable: true })
  readonly planId?: string;

  @Field(() => ServiceBackupInput, { nullable: true })
  readonly service?: ServiceBackupInput;
}

@InputType('BackupJobFilter', { description: 'All conditions that are set must match; an empty list matches nothing.' })
export class BackupJobFilter {
  @Field(() => [ID], { nullable: true })
  readonly serviceIds?: string[] | null;

  @Field(() => [ID], { nullable: true })
  readonly planIds?: string[] | null;

  @Field(() => [ID], { nullable: true })
  readonly fileEndpointIds?: string[] | null;

  @Field(() => ID, { nullable: true })
  readonly batchId?: string | null;

  @Field(() => [JobStatusEnum], { nullable: true })
  readonly status?: BackupJobStatus[] | null;

  @Field(() => [BackupAvailabilityEnum], { nullable: true })
  readonly availability?: BackupAvailability[] | null;

  @Field(() => [TriggerEnum], { nullable: true })
  readonly trigger?: BackupTrigger[] | null;

  @Field(() => [String], { nullable: true, description: 'Codes of the catalogue of errors.' })
  readonly errorCode?: string[] | null;

  @Field(() => DateTime, { nullable: true, description: 'Queued at this time or later.' })
  readonly queuedFrom?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Queued before.' })
  readonly queuedBefore?: Date | null;
}

export const BackupJobSortEnum = enumType(
  'BackupJobSort',
  ['QUEUED_AT', 'STARTED_AT', 'EXECUTION_TIME', 'STORED_SIZE'],
  'Jobs without the value come last.',
);
export type BackupJobSort = keyof typeof BackupJobSortEnum;

export const DirectionEnum = enumType('Direction', ['ASC', 'DESC']);

@InputType('BackupJobOrder')
export class BackupJobOrder {
  @Field(() => BackupJobSortEnum)
  readonly by!: BackupJobSort;

  @Field(() => DirectionEnum, { defaultValue: 'DESC' })
  readonly direction!: 'ASC' | 'DESC';
}
