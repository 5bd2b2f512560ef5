import { Field, Float, Int, ObjectType, registerEnumType } from 'type-graphql';
import { StowageError } from '../errors.js';
import { connection } from '../server/connection.js';
import { enumType } from '../server/enumType.js';
import { Node } from '../server/node.js';
import { BigIntScalar } from '../server/scalars/bigInt.js';
import { DateTime } from '../server/scalars/dateTime.js';
import { Duration } from '../server/scalars/duration.js';
import { describeFrequency } from '../scheduler/cron/describeFrequency.js';
import { parseFrequency } from '../scheduler/cron/parseFrequency.js';
import type { Compression } from '../engines/compression.js';
import type { IncludedUsers } from '../engines/runningDump.js';
import type { BackupPlanRow } from './backupPlanView.js';
import type { DriftThreshold } from './driftThreshold.js';
import type { RetentionPolicy, RetentionStyle } from './retention/retentionPolicy.js';

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
  description:
    'ALL keeps everything. FILES keeps the newest N. HOURS to MONTHS keep backups that are younger than N. GFS keeps the newest backup of each bucket.',
});

@ObjectType('Gfs', {
  description: 'The numbers of hours, days, weeks, months and years that keep their newest backup.',
})
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

export const DriftActionEnum = enumType(
  'DriftAction',
  ['WARN', 'FAIL'],
  'WARN: the backup succeeds with a warning. FAIL: the job fails, and the earlier backups stay. A backup that a person starts only warns.',
);

export const IncludedUsersEnum = enumType(
  'IncludedUsers',
  ['NONE', 'WITHOUT_PASSWORDS', 'WITH_PASSWORD_HASHES'],
  'Users, roles and grants become a part of their own, which no restore replays. WITHOUT_PASSWORDS: the statements create accounts that nobody can use before they get a password. WITH_PASSWORD_HASHES: who can read the backup can try to guess the passwords.',
);

export const CompressionEnum = enumType(
  'Compression',
  ['FAST', 'BALANCED', 'SMALL'],
  'FAST: the least processor time, for fast links. BALANCED: the usual choice. SMALL: fewer bytes for more than twice the processor time of BALANCED, for slow links. A restore is equally fast after all of them.',
);

@ObjectType('DriftThreshold', { description: 'How many rows must remain since the previous backup of the plan.' })
export class DriftThresholdType {
  @Field(() => Int, { nullable: true, description: 'The percentage of its rows that each table keeps at least.' })
  readonly table!: number | null;

  @Field(() => Int, { nullable: true, description: 'The percentage of rows that all tables together keep at least.' })
  readonly total!: number | null;

  @Field(() => DriftActionEnum)
  readonly action!: DriftThreshold['action'];

  @Field(() => [String], { description: 'Tables that may lose any number of rows, as `database.table`.' })
  readonly exceptTables!: readonly string[];

  static of({ tablePercent, totalPercent, action, exceptTables }: DriftThreshold): DriftThresholdType {
    return { table: tablePercent, total: totalPercent, action, exceptTables };
  }
}

@ObjectType('Frequency')
export class FrequencyType {
  @Field(() => String, { description: 'The frequency as its owner wrote it.' })
  readonly typed!: string;

  @Field(() => String, { description: 'The meaning of the frequency: six cron fields without an open one.' })
  readonly normalized!: string;

  @Field(() => String)
  readonly timeZone!: string;

  @Field(() => String, { description: 'The meaning in plain English.' })
  readonly description!: string;
}

/** A plan in the API. Each field is computed from the row when a client selects it. */
@ObjectType('BackupPlan', {
  implements: Node,
  description: 'Defines what is backed up, when and where, and how long it is kept.',
})
export class BackupPlanType extends Node {
  override readonly id: string;

  constructor(
    /** The stored row, for the fields that other slices add. */
    readonly row: BackupPlanRow,
  ) {
    super();
    this.id = row.id;
  }

  @Field(() => String)
  get name(): string {
    return this.row.name;
  }

  @Field(() => String, { nullable: true, description: 'The reason why the plan exists.' })
  get description(): string | null {
    return this.row.description;
  }

  @Field(() => FrequencyType)
  get frequency(): FrequencyType {
    const { typed, normalized, timeZone } = this.row;
    return {
      ...{ typed, normalized, timeZone },
      get description() {
        return described(normalized);
      },
    };
  }

  @Field(() => RetentionType)
  get retention(): RetentionType {
    return RetentionType.of(this.row.retention);
  }

  @Field(() => Boolean)
  get paused(): boolean {
    return this.row.paused;
  }

  @Field(() => Int)
  get maxAttempts(): number {
    return this.row.maxAttempts;
  }

  @Field(() => Duration, {
    nullable: true,
    description: 'The longest that an attempt may take. Null: see `effectiveTimeout`.',
  })
  get timeout(): number | null {
    return this.row.timeoutMs;
  }

  @Field(() => Duration, { description: 'The time limit for a job without progress.' })
  get stallTimeout(): number {
    return this.row.stallTimeoutMs;
  }

  @Field(() => Boolean, {
    description:
      'Whether a backup ends with SERVICE_BUSY and is retried when another session waits too long for one of its locks.',
  })
  get yieldToLocks(): boolean {
    return this.row.yieldToLocks;
  }

  @Field(() => IncludedUsersEnum, {
    description: 'Which users, roles and grants of the server a backup contains.',
  })
  get includeUsers(): IncludedUsers {
    return this.row.includeUsers;
  }

  @Field(() => CompressionEnum, { description: 'Whether the compressor saves processor time or bytes.' })
  get compression(): Compression {
    return this.row.compression;
  }

  @Field(() => DriftThresholdType, { nullable: true, description: 'Null: no threshold.' })
  get driftThreshold(): DriftThresholdType | null {
    const { driftThreshold } = this.row;
    return driftThreshold === null ? null : DriftThresholdType.of(driftThreshold);
  }

  @Field(() => DateTime)
  get createdAt(): Date {
    return this.row.createdAt;
  }

  @Field(() => DateTime, { nullable: true })
  get removedAt(): Date | null {
    return this.row.removedAt;
  }

  @Field(() => Int)
  get version(): number {
    return this.row.version;
  }
}

/** A plan of a newer program may have an unknown frequency. It must still be possible to list and change the plan. */
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

  @Field(() => String, { description: "In the frequency's time zone: ISO 8601 with the offset from UTC." })
  readonly local!: string;
}

@ObjectType('SchedulePreview', { description: 'The runs of a frequency.' })
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

  @Field(() => [String], { description: 'Facts that may be unexpected.' })
  readonly notes!: readonly string[];
}

@ObjectType('RetentionDay')
export class RetentionDayType {
  @Field(() => String, { description: "yyyy-mm-dd in the plan's time zone." })
  readonly date!: string;

  @Field(() => Int, { description: 'The number of backups at the end of the day.' })
  readonly kept!: number;

  @Field(() => Int, {
    description:
      'The number of backups that are deleted during the day. Today includes deletions that are due already.',
  })
  readonly deleted!: number;

  @Field(() => BigIntScalar, { description: 'The bytes of all backups at the end of the day.' })
  readonly storedSize!: number;
}
