import { Field, ID, InputType, Int } from 'type-graphql';
import { OneOf } from '../server/oneOf.js';
import { BigIntScalar } from '../server/scalars/bigInt.js';
import { Duration } from '../server/scalars/duration.js';
import type { PlanContent } from './backupPlan.js';
import type { Compression } from '../engines/compression.js';
import type { IncludedUsers } from '../engines/runningDump.js';
import type { DriftThreshold, DriftThresholdInput as Threshold } from './driftThreshold.js';
import { CompressionEnum, DriftActionEnum, IncludedUsersEnum, RetentionStyleEnum } from './planType.js';
import type { RetentionStyle } from './retention/retentionPolicy.js';

@InputType('GfsInput', {
  description:
    'The number of buckets of each level that keep their newest backup, from 0 to 10000. At least one number must be above 0.',
})
export class GfsInput {
  @Field(() => Int, { defaultValue: 0 })
  readonly hourly!: number;

  @Field(() => Int, { defaultValue: 0 })
  readonly daily!: number;

  @Field(() => Int, { defaultValue: 0 })
  readonly weekly!: number;

  @Field(() => Int, { defaultValue: 0 })
  readonly monthly!: number;

  @Field(() => Int, { defaultValue: 0 })
  readonly yearly!: number;
}

@InputType('RetentionInput')
export class RetentionInput {
  @Field(() => RetentionStyleEnum)
  readonly style!: RetentionStyle;

  @Field(() => Int, { nullable: true, description: 'A number from 1 to 10000. ALL and GFS have no period.' })
  readonly period?: number | null;

  @Field(() => GfsInput, { nullable: true })
  readonly gfs?: GfsInput | null;
}

@InputType('DriftThresholdInput', {
  description:
    'Limits how many rows may be gone since the previous backup of the plan. At least one of `table` and `total` is set. A table whose rows are only estimated has no limit.',
})
export class DriftThresholdInput implements Threshold {
  @Field(() => Int, {
    nullable: true,
    description: 'The percentage of its rows that each table keeps at least: 1 to 100.',
  })
  readonly table?: number | null;

  @Field(() => Int, {
    nullable: true,
    description: 'The percentage of rows that all tables together keep at least: 1 to 100.',
  })
  readonly total?: number | null;

  @Field(() => DriftActionEnum)
  readonly action!: DriftThreshold['action'];

  @Field(() => [String], {
    defaultValue: [],
    description: 'Tables that may lose any number of rows, as `database.table`, for example queues. At most 100.',
  })
  readonly exceptTables!: string[];
}

/** The values of fields that a client omits. Null in a patch sets them again. */
export const planDefaults: Omit<PlanContent, 'name' | 'fileEndpointIds' | 'typed' | 'normalized' | 'retention'> = {
  description: null,
  timeZone: 'UTC',
  maxAttempts: 3,
  catchUpWindowMs: null,
  timeoutMs: null,
  stallTimeoutMs: 600_000,
  yieldToLocks: true,
  driftThreshold: null,
  includeUsers: 'WITHOUT_PASSWORDS',
  compression: 'BALANCED',
};

const description = 'The reason why the plan exists: 1 to 1000 characters on one line.';
const frequency = 'Six cron fields: second, minute, hour, day of month, month, day of week; or @daily and the like.';
const yieldToLocks =
  'Whether a backup ends with SERVICE_BUSY and is retried when another session waits too long for one of its locks. Default: true.';
const driftThreshold = 'A backup that falls below it warns or fails. Default: no threshold.';
const includeUsers = 'Which users, roles and grants of the server a backup contains. Default: WITHOUT_PASSWORDS.';
const compression = 'Whether the compressor saves processor time or bytes. Default: BALANCED.';
const catchUpWindow = 'Default: half the interval, at least PT1H.';

@InputType('BackupPlanInput')
export class BackupPlanInput {
  @Field(() => ID)
  readonly serviceId!: string;

  @Field(() => String)
  readonly name!: string;

  @Field(() => String, { nullable: true, description })
  readonly description?: string | null;

  @Field(() => [ID], {
    description: 'Each run makes one backup for each file endpoint, one after another. At most 10.',
  })
  readonly fileEndpointIds!: string[];

  @Field(() => String, { description: frequency })
  readonly frequency!: string;

  @Field(() => String, { defaultValue: planDefaults.timeZone, description: 'The IANA name of a time zone.' })
  readonly timeZone!: string;

  @Field(() => RetentionInput)
  readonly retention!: RetentionInput;

  @Field(() => Boolean, { defaultValue: false })
  readonly paused!: boolean;

  @Field(() => Int, { defaultValue: planDefaults.maxAttempts, description: '1 to 10.' })
  readonly maxAttempts!: number;

  @Field(() => Duration, { nullable: true, description: catchUpWindow })
  readonly catchUpWindow?: number | null;

  @Field(() => Duration, { nullable: true, description: 'Absent: no limit.' })
  readonly timeout?: number | null;

  @Field(() => Duration, { defaultValue: planDefaults.stallTimeoutMs })
  readonly stallTimeout!: number;

  @Field(() => Boolean, { defaultValue: planDefaults.yieldToLocks, description: yieldToLocks })
  readonly yieldToLocks!: boolean;

  @Field(() => DriftThresholdInput, { nullable: true, description: driftThreshold })
  readonly driftThreshold?: DriftThresholdInput | null;

  @Field(() => IncludedUsersEnum, { defaultValue: planDefaults.includeUsers, description: includeUsers })
  readonly includeUsers!: IncludedUsers;

  @Field(() => CompressionEnum, { defaultValue: planDefaults.compression, description: compression })
  readonly compression!: Compression;
}

@InputType('BackupPlanPatch', {
  description: 'An absent field is unchanged. Null sets the default. A list replaces the whole list.',
})
export class BackupPlanPatch {
  @Field(() => String, { nullable: true })
  readonly name?: string | null;

  @Field(() => String, { nullable: true, description })
  readonly description?: string | null;

  @Field(() => [ID], { nullable: true })
  readonly fileEndpointIds?: string[] | null;

  @Field(() => String, { nullable: true, description: frequency })
  readonly frequency?: string | null;

  @Field(() => String, { nullable: true })
  readonly timeZone?: string | null;

  @Field(() => RetentionInput, { nullable: true })
  readonly retention?: RetentionInput | null;

  @Field(() => Boolean, { nullable: true })
  readonly paused?: boolean | null;

  @Field(() => Int, { nullable: true })
  readonly maxAttempts?: number | null;

  @Field(() => Duration, { nullable: true, description: catchUpWindow })
  readonly catchUpWindow?: number | null;

  @Field(() => Duration, { nullable: true })
  readonly timeout?: number | null;

  @Field(() => Duration, { nullable: true })
  readonly stallTimeout?: number | null;

  @Field(() => Boolean, { nullable: true, description: yieldToLocks })
  readonly yieldToLocks?: boolean | null;

  @Field(() => DriftThresholdInput, { nullable: true, description: driftThreshold })
  readonly driftThreshold?: DriftThresholdInput | null;

  @Field(() => IncludedUsersEnum, { nullable: true, description: includeUsers })
  readonly includeUsers?: IncludedUsers | null;

  @Field(() => CompressionEnum, { nullable: true, description: compression })
  readonly compression?: Compression | null;
}

@InputType('RetentionDraftInput')
export class RetentionDraftInput {
  @Field(() => String)
  readonly frequency!: string;

  @Field(() => String, { defaultValue: planDefaults.timeZone })
  readonly timeZone!: string;

  @Field(() => RetentionInput)
  readonly retention!: RetentionInput;

  @Field(() => BigIntScalar, { nullable: true, description: 'The bytes of one backup.' })
  readonly sizeOfOne?: number | null;
}

@InputType('RetentionPreviewInput')
@OneOf()
export class RetentionPreviewInput {
  @Field(() => ID, { nullable: true })
  readonly planId?: string;

  @Field(() => RetentionDraftInput, { nullable: true })
  readonly draft?: RetentionDraftInput;
}
