import { Field, Int, ObjectType } from 'type-graphql';
import { FileEndpointType } from '../endpoints/fileEndpointType.js';
import { DateTime } from '../server/scalars/dateTime.js';
import { ProtectionStatusEnum, type ProtectionStatus } from '../services/serviceInput.js';
import { BackupJobType } from '../backups/api/backupJobType.js';

@ObjectType('Protection', { description: 'How well a service is protected by all its plans, or by one of them.' })
export class ProtectionType {
  @Field(() => ProtectionStatusEnum)
  readonly status!: ProtectionStatus;

  @Field(() => DateTime, { nullable: true, description: 'The start of the newest stored backup.' })
  readonly dataAsOf!: Date | null;

  @Field(() => DateTime, {
    nullable: true,
    description:
      "dataAsOf plus the service's objective. Without an objective: dataAsOf plus the plan's longest gap and usual duration.",
  })
  readonly dueBy!: Date | null;

  @Field(() => Int, {
    description: 'The number of failed jobs since the last success, for the destination with the highest number.',
  })
  readonly consecutiveFailures!: number;

  @Field(() => BackupJobType, { nullable: true })
  readonly latest!: BackupJobType | null;

  @Field(() => BackupJobType, { nullable: true })
  readonly lastSuccess!: BackupJobType | null;
}

@ObjectType('ProtectionCount')
export class ProtectionCountType {
  @Field(() => ProtectionStatusEnum)
  readonly status!: ProtectionStatus;

  @Field(() => Int)
  readonly services!: number;
}

@ObjectType('PlanDestination', { description: 'A plan with one of its file endpoints.' })
export class PlanDestinationType {
  readonly planId!: string;

  @Field(() => FileEndpointType)
  readonly fileEndpoint!: FileEndpointType;
}
