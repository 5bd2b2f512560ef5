import { Field, Float, Int, ObjectType, registerEnumType } from 'type-graphql';
import { StowageError } from '../errors.js';
import { connection } from '../server/connection.js';
import { Node } from '../server/node.js';
import { BigIntScalar } from '../server/scalars/bigInt.js';
import { DateTime } from '../server/scalars/dateTime.js';
import { Duration } from '../server/scalars/duration.js';
import { describeFrequency } from '../scheduler/cron/describeFrequency.js';
import { parseFrequency } from '../scheduler/cron/parseFrequency.js';
import type { BackupPlanRow } from './backupPlanView.js';
import type { RetentionPolicy, RetentionStyle } from './retentionPolicy.js';

export const RetentionStyleEnum = {
  ALL: 'ALL',
  FILES: 'FILES',
  HOURS: 'HOURS',
  DAYS: 'DAYS',
  WEEKS: 'WEEKS',
  MONTHS: 'MONTHS',
  GFS: 'GFS',
} as const;
registerEnumType(RetentionStyleEnum, {
  name: 'RetentionStyle',
  description: 'ALL: everything. FILES: the newest N. HOURS to MONTHS: those younger than N. GFS: N of each bucket.',
});

@ObjectType('Gfs', { description: 'How many hours, days, weeks, months and years keep their newest backup.' })
export class GfsType {
  @Field(() => Int)
  readonly hourly!: number;

  @Field(() => Int)
  readonly daily!: number;

  @Field(() => Int)
  readonly weekly!: number;

  @Field(() => Int)
  readonly monthly!: number;

  @Field(() => Int)
  readonly yearly!: number;
}

@ObjectType('Retention')
export class RetentionType {
  @Field(() => RetentionStyleEnum)
  readonly style!: RetentionStyle;

  @Field(() => Int, { nullable: true })
  readonly period!: number | null;

  @Field(() => GfsType, { nullable: true })
  readonly gfs!: GfsType | null;

  static of(policy: RetentionPolicy): RetentionType {
    return {
      style: policy.style,
      period: 'period' in policy ? policy.period : null,
      gfs: policy.style === 'GFS' ? policy.gfs : null,
    };
  }
}

@ObjectType('Frequency')
export class FrequencyType {
  @Field(() => String, { description: 'As its owner wrote it.' })
  readonly typed!: string;

  @Field(() => String, { description: 'What it means: six fields, nothing left open.' })
  readonly normalized!: string;

  @Field(() => String)
  readonly timeZone!: string;

  @Field(() => String, { description: 'In plain English.' })
  readonly description!: string;
}

@ObjectType('BackupPlan', {
  implements: Node,
  description: 'What is backed up, when, where to, and how long it is kept.',
})
export class BackupPlanType extends Node {
  /** As it is stored, for the fields that other slices add. */
  readonly row!: BackupPlanRow;

  @Field(() => String)
  readonly name!: string;

  @Field(() => FrequencyType)
  readonly frequency!: FrequencyType;

  @Field(() => RetentionType)
  readonly retention!: RetentionType;

  @Field(() => Boolean)
  readonly paused!: boolean;

  @Field(() => Int)
  readonly maxAttempts!: number;

  @Field(() => Duration, { nullable: true, description: 'The longest a job may take. Null: no limit.' })
  readonly timeout!: number | null;

  @Field(() => Duration, { description: 'The longest a job may go without moving a byte.' })
  readonly stallTimeout!: number;

  @Field(() => DateTime)
  readonly createdAt!: Date;

  @Field(() => DateTime, { nullable: true })
  readonly removedAt!: Date | null;

  @Field(() => Int)
  readonly version!: number;

  static of(row: BackupPlanRow): BackupPlanType {
    const { id, name, typed, normalized, timeZone, paused, maxAttempts, createdAt, removedAt, version } = row;
    return Object.assign(new BackupPlanType(), {
      ...{ row, id, name, paused, maxAttempts, createdAt, removedAt, version },
      frequency: { typed, normalized, timeZone, description: described(normalized) },
      retention: RetentionType.of(row.retention),
      timeout: row.timeoutMs,
      stallTimeout: row.stallTimeoutMs,
    });
  }
}

/** A plan of a newer version of the program is shown, and can be mended, also where it is not understood. */
function described(normalized: string): string {
  try {
    return describeFrequency(parseFrequency(normalized));
  } catch (error) {
    if (error instanceof StowageError) return 'This version does not understand the frequency; the plan does not run.';
    throw error;
  }
}

export const BackupPlanConnection = connection('BackupPlan', () => BackupPlanType);

@ObjectType('ScheduledRun')
export class ScheduledRunType {
  @Field(() => DateTime)
  readonly at!: Date;

  @Field(() => String, { description: "In the frequency's zone, ISO 8601 with the distance from UTC." })
  readonly local!: string;
}

@ObjectType('SchedulePreview', { description: 'What a frequency will do.' })
export class SchedulePreviewType {
  @Field(() => String)
  readonly normalized!: string;

  @Field(() => String)
  readonly description!: string;

  @Field(() => String)
  readonly timeZone!: string;

  @Field(() => [ScheduledRunType])
  readonly runs!: readonly ScheduledRunType[];

  @Field(() => Float)
  readonly runsPerDay!: number;

  @Field(() => [String], { description: 'What a person may not expect.' })
  readonly notes!: readonly string[];
}

@ObjectType('RetentionDay')
export class RetentionDayType {
  @Field(() => String, { description: "yyyy-mm-dd in the plan's zone." })
  readonly date!: string;

  @Field(() => Int, { description: 'Backups at the end of the day.' })
  readonly kept!: number;

  @Field(() => Int, { description: 'Those that go during the day; today also what is due already.' })
  readonly deleted!: number;

  @Field(() => BigIntScalar, { description: 'Bytes of all that are kept, at the end of the day.' })
  readonly storedSize!: number;
}
