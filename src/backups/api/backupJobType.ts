import { Field, ID, Int, ObjectType } from 'type-graphql';
import { connection } from '../../server/connection.js';
import { Node } from '../../server/node.js';
import { firstSteps } from '../../archive/layout.js';
import { enumType } from '../../server/enumType.js';
import { BigIntScalar } from '../../server/scalars/bigInt.js';
import { DateTime } from '../../server/scalars/dateTime.js';
import { AttemptedJobType } from '../../jobs/attemptedJobType.js';
import type { BackupTrigger } from '../backupJob.js';
import { backupJobMessage } from '../backupJobMessage.js';
import { BackupChangesType } from './backupChangesType.js';
import type { BackupJobRow, BackupJobStatus } from '../backupJobView.js';

export const JobStatusEnum = enumType(
  'JobStatus',
  ['QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'SKIPPED'],
  'The end of a job never changes. A job that waits for a retry is QUEUED.',
);

export const BackupAvailabilityEnum = enumType(
  'BackupAvailability',
  ['STORED', 'DELETING', 'DELETED', 'MISSING'],
  'The state of the bytes of a SUCCEEDED job.',
);
export type BackupAvailability = keyof typeof BackupAvailabilityEnum;

export const TriggerEnum = enumType('Trigger', ['SCHEDULE', 'CATCH_UP', 'MANUAL', 'RETRY', 'SAFETY']);

export const BackupActionEnum = enumType(
  'BackupAction',
  ['CANCEL', 'RETRY', 'DELETE', 'HOLD', 'RELEASE', 'VERIFY', 'RESTORE'],
  'The actions that role and state allow the viewer now.',
);
export type BackupAction = keyof typeof BackupActionEnum;

export const VerificationLevelEnum = enumType('VerificationLevel', ['STORED', 'READABLE', 'RESTORED']);
export type VerificationLevel = keyof typeof VerificationLevelEnum;

@ObjectType('DumpTool', { description: 'The program that dumped a part.' })
export class DumpToolType {
  @Field(() => String)
  readonly name!: string;

  @Field(() => String)
  readonly version!: string;
}

@ObjectType('BackupPart', { description: 'One stored object of a backup.' })
export class BackupPartType {
  @Field(() => String)
  readonly name!: string;

  @Field(() => String)
  readonly objectName!: string;

  @Field(() => BigIntScalar, { description: 'Bytes of the plain dump.' })
  readonly size!: number;

  @Field(() => BigIntScalar)
  readonly storedSize!: number;

  @Field(() => String, { description: 'SHA-256 of the stored bytes, hex.' })
  readonly checksum!: string;

  @Field(() => [String], {
    nullable: true,
    description: 'The databases that the part holds. Null: all databases of the service.',
  })
  readonly databases?: readonly string[] | undefined;

  @Field(() => [String], {
    description: 'The steps that its bytes passed before they were stored, in this order, for example zstd.',
  })
  readonly steps!: readonly string[];

  @Field(() => Boolean, { description: 'False: the part is stored for a person to read, and no restore replays it.' })
  readonly replayed!: boolean;

  @Field(() => String, { description: 'The exact command for a shell.' })
  readonly restoreByHand!: string;

  @Field(() => String, {
    nullable: true,
    description: 'The programs that the command needs, and their versions. Null: not recorded.',
  })
  readonly restoreByHandNeeds?: string | undefined;

  @Field(() => String, {
    nullable: true,
    description:
      'The character set of the connection for the dump, which a restore must use too. Null: utf8mb4, or the engine has no such setting.',
  })
  readonly characterSet?: string | undefined;

  @Field(() => DumpToolType, { nullable: true, description: 'Null: not recorded.' })
  readonly tool?: DumpToolType | undefined;

  @Field(() => BigIntScalar, {
    nullable: true,
    description: 'The bytes of the longest statement, which a target must accept at once. Null: not recorded.',
  })
  readonly longestStatement?: number | undefined;
}

@ObjectType('InventorySummary', { description: 'The contents of the database server when it was dumped.' })
export class InventorySummaryType {
  @Field(() => String)
  readonly serverVersion!: string;

  @Field(() => String)
  readonly toolVersion!: string;

  @Field(() => Int)
  readonly databases!: number;

  @Field(() => Int)
  readonly tables!: number;

  @Field(() => BigIntScalar, { nullable: true, description: 'Null if a table was not counted.' })
  readonly rows!: number | null;

  @Field(() => Boolean)
  readonly rowsEstimated!: boolean;

  @Field(() => BigIntScalar, { nullable: true, description: 'Bytes, as the server estimates them.' })
  readonly size!: number | null;
}

@ObjectType('Hold', { description: 'Prevents the deletion of a backup.' })
export class HoldType {
  @Field(() => String)
  readonly reason!: string;

  @Field(() => String)
  readonly by!: string;

  @Field(() => DateTime)
  readonly at!: Date;
}

/** The row does not contain the inventory, which may be larger than all other columns together. */
@ObjectType('BackupJob', { implements: Node, description: 'One executed backup to one file endpoint.' })
export class BackupJobType extends AttemptedJobType<BackupJobRow> {
  override currentMessage(): string {
    return backupJobMessage(this.row);
  }

  @Field(() => TriggerEnum)
  get trigger(): BackupTrigger {
    return this.row.trigger;
  }

  @Field(() => ID, { description: 'All jobs of one tick or one startBackup have the same batchId.' })
  get batchId(): string {
    return this.row.batchId;
  }

  @Field(() => JobStatusEnum)
  get status(): BackupJobStatus {
    return this.row.status;
  }

  @Field(() => BackupAvailabilityEnum, { nullable: true, description: 'Null unless the job SUCCEEDED.' })
  get availability(): BackupAvailability | null {
    return this.row.availability;
  }

  @Field(() => DateTime, { nullable: true, description: 'The tick of the plan for which it was queued.' })
  get scheduledFor(): Date | null {
    return this.row.scheduledFor;
  }

  @Field(() => BigIntScalar, { nullable: true, description: 'Bytes of the plain dump, all parts together.' })
  get size(): number | null {
    return this.row.sizeBytes;
  }

  @Field(() => BigIntScalar, { nullable: true, description: 'Bytes in the container, all parts together.' })
  get storedSize(): number | null {
    return this.row.storedSizeBytes;
  }

  @Field(() => [BackupPartType], { description: 'One part for each object that a dump tool created.' })
  get parts(): readonly BackupPartType[] {
    return this.row.parts.map(({ sizeBytes, storedSizeBytes, longestStatementBytes, replay, ...part }) => ({
      ...part,
      steps: part.steps ?? firstSteps,
      replayed: replay !== false,
      size: sizeBytes,
      storedSize: storedSizeBytes,
      longestStatement: longestStatementBytes,
    }));
  }

  @Field(() => BackupChangesType, {
    nullable: true,
    description:
      'What changed since the previous SUCCEEDED backup of the same service, plan and file endpoint. Null: there is no previous backup, or the changes were not recorded.',
  })
  get changes(): BackupChangesType | null {
    const { changes } = this.row;
    return changes === null ? null : new BackupChangesType(changes);
  }

  @Field(() => Boolean)
  get encrypted(): boolean {
    return false;
  }

  @Field(() => HoldType, { nullable: true })
  get hold(): HoldType | null {
    const { hold } = this.row;
    return hold === null ? null : { ...hold, at: new Date(hold.at) };
  }

  @Field(() => DateTime, { nullable: true, description: 'Null: verification is not available yet.' })
  get verifiedAt(): Date | null {
    const { verified } = this.row;
    return verified === null ? null : new Date(verified.at);
  }

  @Field(() => VerificationLevelEnum, { nullable: true, description: 'Null: verification is not available yet.' })
  get verifiedLevel(): VerificationLevel | null {
    return this.row.verified?.level ?? null;
  }
}

export const BackupJobConnection = connection('BackupJob', () => BackupJobType);

@ObjectType('StartBackupPayload')
export class StartBackupPayload {
  @Field(() => ID)
  readonly batchId!: string;

  @Field(() => [BackupJobType], { description: "One job for each destination, in the plan's order." })
  readonly jobs!: readonly BackupJobType[];
}
