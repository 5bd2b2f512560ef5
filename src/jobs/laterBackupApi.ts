import { Arg, ID, Int, Mutation, ObjectType, Field, Query, registerEnumType, Resolver } from 'type-graphql';
import { notYetAvailable } from '../errors.js';
import { Requires } from '../server/requires.js';
import { BigIntScalar } from '../server/scalars/bigInt.js';
import { DateTime } from '../server/scalars/dateTime.js';
import { Duration } from '../server/scalars/duration.js';
import { Statistics } from '../server/statistics.js';
import { BackupJobFilter } from './backupJobInput.js';
import { BackupJobType, JobStatusEnum, VerificationLevelEnum, type VerificationLevel } from './backupJobType.js';
import type { BackupJobStatus } from './backupJobView.js';

/** What of the API about backups waits to be built: in the schema in its final shape. */

export const StatsBucketEnum = { HOUR: 'HOUR', DAY: 'DAY', WEEK: 'WEEK', MONTH: 'MONTH' } as const;
registerEnumType(StatsBucketEnum, { name: 'StatsBucket' });

@ObjectType('StatusCount')
export class StatusCountType {
  @Field(() => JobStatusEnum)
  readonly status!: BackupJobStatus;

  @Field(() => Int)
  readonly count!: number;
}

@ObjectType('BackupStatsBucket')
export class BackupStatsBucketType {
  @Field(() => DateTime)
  readonly from!: Date;

  @Field(() => [StatusCountType])
  readonly statuses!: readonly StatusCountType[];

  @Field(() => BigIntScalar, { description: 'Bytes.' })
  readonly writtenSize!: number;
}

@ObjectType('BackupStats')
export class BackupStatsType {
  @Field(() => [StatusCountType])
  readonly statuses!: readonly StatusCountType[];

  @Field(() => Int)
  readonly active!: number;

  @Field(() => BigIntScalar, { description: 'Bytes.' })
  readonly writtenSize!: number;

  @Field(() => Duration, { nullable: true })
  readonly medianExecutionTime!: number | null;

  @Field(() => [BackupStatsBucketType])
  readonly buckets!: readonly BackupStatsBucketType[];
}

@Resolver()
export class LaterBackupResolver {
  @Query(() => BackupStatsType)
  @Requires('VIEWER')
  @Statistics()
  backupStats(
    @Arg('projectId', () => ID, { nullable: true }) _projectId: string | null | undefined,
    @Arg('filter', () => BackupJobFilter, { nullable: true }) _filter: BackupJobFilter | null | undefined,
    @Arg('bucket', () => StatsBucketEnum, { nullable: true }) _bucket: keyof typeof StatsBucketEnum | null | undefined,
    @Arg('timeZone', () => String, { defaultValue: 'UTC' }) _timeZone: string,
  ): BackupStatsType {
    throw notYetAvailable('Statistics are not built yet. totalCount of backupJobs counts what a filter fits.');
  }

  @Mutation(() => BackupJobType)
  @Requires('OPERATOR')
  holdBackup(
    @Arg('id', () => ID) _id: string,
    @Arg('reason', () => String) _reason: string,
    @Arg('commandId', () => ID, { nullable: true }) _commandId: string | null | undefined,
  ): BackupJobType {
    throw noHoldsYet();
  }

  @Mutation(() => BackupJobType)
  @Requires('OPERATOR')
  releaseBackup(
    @Arg('id', () => ID) _id: string,
    @Arg('commandId', () => ID, { nullable: true }) _commandId: string | null | undefined,
  ): BackupJobType {
    throw noHoldsYet();
  }

  @Mutation(() => BackupJobType)
  @Requires('OPERATOR')
  verifyBackup(
    @Arg('id', () => ID) _id: string,
    @Arg('level', () => VerificationLevelEnum, { defaultValue: 'READABLE' }) _level: VerificationLevel,
    @Arg('commandId', () => ID, { nullable: true }) _commandId: string | null | undefined,
  ): BackupJobType {
    throw notYetAvailable(
      'Verification on demand is not built yet. Every backup is read back and compared before it is called SUCCEEDED.',
    );
  }
}

function noHoldsYet() {
  return notYetAvailable('Holds are not built yet. A plan with retention ALL deletes nothing by itself.');
}
