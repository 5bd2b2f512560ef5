import { Field, Int, ObjectType } from 'type-graphql';
import { enumType } from '../../server/enumType.js';
import { BigIntScalar } from '../../server/scalars/bigInt.js';
import { DateTime } from '../../server/scalars/dateTime.js';
import { Duration } from '../../server/scalars/duration.js';
import type { JobCount } from './backupStats.js';
import { JobStatusEnum } from '../api/backupJobType.js';
import type { BackupJobStatus } from '../backupJobView.js';

export const StatsBucketEnum = enumType(
  'StatsBucket',
  ['HOUR', 'DAY', 'WEEK', 'MONTH'],
  'By the calendar of the time zone; weeks begin on Monday.',
);

@ObjectType('StatusCount')
export class StatusCountType {
  @Field(() => JobStatusEnum)
  readonly status!: BackupJobStatus;

  @Field(() => Int)
  readonly count!: number;
}

@ObjectType('BackupStatsBucket', { description: 'The jobs that were queued from here until the next bucket begins.' })
export class BackupStatsBucketType {
  @Field(() => DateTime)
  readonly from!: Date;

  @Field(() => [StatusCountType], { description: 'Statuses without a job are omitted.' })
  readonly statuses!: readonly StatusCountType[];

  @Field(() => BigIntScalar, { description: 'Bytes.' })
  readonly writtenSize!: number;
}

/** The queries behind `backupStats`. Each runs at most once, and only if a field needs it. */
export interface StatsSource {
  counts(): Promise<readonly JobCount[]>;
  medianExecutionTimeMs(): Promise<number | null>;
  /** Empty: the client requested no buckets. */
  readonly beginnings: readonly Date[];
}

@ObjectType('BackupStats', { description: 'Figures about the jobs that match the filter.' })
export class BackupStatsType {
  constructor(private readonly source: StatsSource) {}

  @Field(() => [StatusCountType], { description: 'Statuses without a job are omitted.' })
  async statuses(): Promise<readonly StatusCountType[]> {
    return totals(await this.source.counts());
  }

  @Field(() => Int, { description: 'QUEUED and RUNNING.' })
  async active(): Promise<number> {
    const active = (await this.source.counts()).filter(({ status }) => status === 'QUEUED' || status === 'RUNNING');
    return active.reduce((sum, { count }) => sum + count, 0);
  }

  @Field(() => BigIntScalar, {
    description: 'The bytes that their backups took in the containers, including deleted ones.',
  })
  async writtenSize(): Promise<number> {
    return writtenSize(await this.source.counts());
  }

  @Field(() => Duration, { nullable: true, description: 'The median execution time of the jobs that SUCCEEDED.' })
  medianExecutionTime(): Promise<number | null> {
    return this.source.medianExecutionTimeMs();
  }

  @Field(() => [BackupStatsBucketType], {
    description:
      'The buckets in order of time, including empty ones. There are none unless the client requests a bucket.',
  })
  async buckets(): Promise<readonly BackupStatsBucketType[]> {
    const byBucket = new Map<number, JobCount[]>();
    for (const count of await this.source.counts()) {
      byBucket.set(count.bucket, [...(byBucket.get(count.bucket) ?? []), count]);
    }
    return this.source.beginnings.map((from, place) => {
      const within = byBucket.get(place) ?? [];
      return { from, statuses: totals(within), writtenSize: writtenSize(within) };
    });
  }
}

/** The statuses in the order of a job's life. */
function totals(counts: readonly JobCount[]): readonly StatusCountType[] {
  return Object.values(JobStatusEnum).flatMap((status) => {
    const count = counts.filter((each) => each.status === status).reduce((sum, each) => sum + each.count, 0);
    return count === 0 ? [] : [{ status, count }];
  });
}

function writtenSize(counts: readonly JobCount[]): number {
  return counts.reduce((sum, { writtenSizeBytes }) => sum + writtenSizeBytes, 0);
}
