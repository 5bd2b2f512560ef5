import { Field, ID, Int, ObjectType, registerEnumType } from 'type-graphql';
import type { Inventory } from '../engines/engine.js';
import { connection } from '../server/connection.js';
import { Node } from '../server/node.js';
import { BigIntScalar } from '../server/scalars/bigInt.js';
import { DateTime } from '../server/scalars/dateTime.js';
import { Duration } from '../server/scalars/duration.js';
import { JsonScalar } from '../server/scalars/json.js';
import { AttemptType, JobErrorType, JobPhaseEnum } from './attemptType.js';
import type { BackupPhase, BackupTrigger } from './backupJob.js';
import { backupJobMessage } from './backupJobMessage.js';
import type { BackupJobRow, BackupJobStatus } from './backupJobView.js';

export const JobStatusEnum = {
  QUEUED: 'QUEUED',
  RUNNING: 'RUNNING',
  SUCCEEDED: 'SUCCEEDED',
  FAILED: 'FAILED',
  CANCELLED: 'CANCELLED',
  SKIPPED: 'SKIPPED',
} as const;
registerEnumType(JobStatusEnum, {
  name: 'JobStatus',
  description: 'How a job ends, it stays. Waiting for a retry is QUEUED.',
});

export const BackupAvailabilityEnum = {
  STORED: 'STORED',
  DELETING: 'DELETING',
  DELETED: 'DELETED',
  MISSING: 'MISSING',
} as const;
export type BackupAvailability = keyof typeof BackupAvailabilityEnum;
registerEnumType(BackupAvailabilityEnum, {
  name: 'BackupAvailability',
  description: 'Where the bytes of a SUCCEEDED job are.',
});

export const TriggerEnum = {
  SCHEDULE: 'SCHEDULE',
  CATCH_UP: 'CATCH_UP',
  MANUAL: 'MANUAL',
  RETRY: 'RETRY',
  SAFETY: 'SAFETY',
} as const;
registerEnumType(TriggerEnum, { name: 'Trigger' });

export const BackupActionEnum = {
  CANCEL: 'CANCEL',
  RETRY: 'RETRY',
  DELETE: 'DELETE',
  HOLD: 'HOLD',
  RELEASE: 'RELEASE',
  VERIFY: 'VERIFY',
  RESTORE: 'RESTORE',
} as const;
export type BackupAction = keyof typeof BackupActionEnum;
registerEnumType(BackupActionEnum, {
  name: 'BackupAction',
  description: 'What role and state allow the viewer to do now.',
});

export const VerificationLevelEnum = { STORED: 'STORED', READABLE: 'READABLE', RESTORED: 'RESTORED' } as const;
export type VerificationLevel = keyof typeof VerificationLevelEnum;
registerEnumType(VerificationLevelEnum, { name: 'VerificationLevel' });

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

  @Field(() => String, { description: 'The exact line for a shell.' })
  readonly restoreByHand!: string;
}

@ObjectType('InventorySummary', { description: 'What the database server held when it was dumped.' })
export class InventorySummaryType {
  @Field(() => String)
  readonly serverVersion!: string;

  @Field(() => String)
  readonly toolVersion!: string;

  @Field(() => Int)
  readonly databases!: number;

  @Field(() => Int)
  readonly tables!: number;

  @Field(() => BigIntScalar, { nullable: true, description: 'Null where a table was not counted.' })
  readonly rows!: number | null;

  @Field(() => Boolean)
  readonly rowsEstimated!: boolean;

  @Field(() => BigIntScalar, { nullable: true, description: 'Bytes, as the server reckons them.' })
  readonly size!: number | null;

  /** Null for what is no inventory that this version knows. */
  static of(inventory: unknown): InventorySummaryType | null {
    if (!isInventory(inventory)) return null;
    const tables = inventory.databases.flatMap((database) => database.tables);
    const rows = tables.reduce<number | null>(
      (sum, table) => (sum === null || table.rows === null ? null : sum + table.rows),
      0,
    );
    return {
      serverVersion: inventory.serverVersion,
      toolVersion: inventory.toolVersion,
      databases: inventory.databases.length,
      tables: tables.length,
      rows,
      rowsEstimated: tables.some((table) => table.rowsEstimated),
      size: inventory.sizeBytes,
    };
  }
}

@ObjectType('Hold', { description: 'Keeps a backup from being deleted.' })
export class HoldType {
  @Field(() => String)
  readonly reason!: string;

  @Field(() => String)
  readonly by!: string;

  @Field(() => DateTime)
  readonly at!: Date;
}

@ObjectType('BackupJob', { implements: Node, description: 'One executed backup to one file endpoint.' })
export class BackupJobType extends Node {
  /** As it is stored, for the fields that need more than it holds. */
  readonly row!: BackupJobRow;

  @Field(() => TriggerEnum)
  readonly trigger!: BackupTrigger;

  @Field(() => ID, { description: 'Shared by the jobs of one tick or one startBackup.' })
  readonly batchId!: string;

  @Field(() => String)
  readonly requestedBy!: string;

  @Field(() => JobStatusEnum)
  readonly status!: BackupJobStatus;

  @Field(() => BackupAvailabilityEnum, { nullable: true, description: 'Null unless the job SUCCEEDED.' })
  readonly availability!: BackupAvailability | null;

  @Field(() => JobPhaseEnum, { nullable: true, description: 'Null unless the job is RUNNING.' })
  readonly phase!: BackupPhase | null;

  @Field(() => DateTime, { nullable: true, description: 'The tick of the plan that it was made for.' })
  readonly scheduledFor!: Date | null;

  @Field(() => DateTime)
  readonly queuedAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'Of the latest attempt.' })
  readonly startedAt!: Date | null;

  @Field(() => DateTime, { nullable: true })
  readonly finishedAt!: Date | null;

  @Field(() => Duration, { nullable: true, description: 'From startedAt to finishedAt; null until it has ended.' })
  readonly executionTime!: number | null;

  @Field(() => String, { description: 'One sentence for a person, whatever the status.' })
  readonly message!: string;

  @Field(() => JobErrorType, { nullable: true })
  readonly error!: JobErrorType | null;

  @Field(() => Int, { description: 'The number of the latest attempt; 0 before the first.' })
  readonly attempt!: number;

  @Field(() => [AttemptType])
  readonly attempts!: readonly AttemptType[];

  @Field(() => BigIntScalar, { nullable: true, description: 'Bytes of the plain dump, all parts together.' })
  readonly size!: number | null;

  @Field(() => BigIntScalar, { nullable: true, description: 'Bytes in the container, all parts together.' })
  readonly storedSize!: number | null;

  @Field(() => [BackupPartType], { description: 'One for each object that a dump tool made.' })
  readonly parts!: readonly BackupPartType[];

  @Field(() => JsonScalar, { nullable: true, description: 'Databases, tables with row counts, routines and the like.' })
  readonly inventory!: unknown;

  @Field(() => InventorySummaryType, { nullable: true })
  readonly inventorySummary!: InventorySummaryType | null;

  @Field(() => [String])
  readonly warnings!: readonly string[];

  @Field(() => Boolean)
  readonly encrypted!: boolean;

  @Field(() => HoldType, { nullable: true })
  readonly hold!: HoldType | null;

  @Field(() => DateTime, { nullable: true })
  readonly verifiedAt!: Date | null;

  @Field(() => VerificationLevelEnum, { nullable: true })
  readonly verifiedLevel!: VerificationLevel | null;

  @Field(() => Int)
  readonly version!: number;

  static of(row: BackupJobRow): BackupJobType {
    const { id, trigger, batchId, requestedBy, status, availability, phase, scheduledFor, queuedAt } = row;
    const { startedAt, finishedAt, error, attempt, attempts, inventory, warnings, version } = row;
    return Object.assign(new BackupJobType(), {
      ...{ row, id, trigger, batchId, requestedBy, status, availability, phase, scheduledFor, queuedAt },
      ...{ startedAt, finishedAt, error, attempt, attempts, inventory, warnings, version },
      executionTime: executionTimeMs(row),
      message: backupJobMessage(row),
      size: row.sizeBytes,
      storedSize: row.storedSizeBytes,
      parts: row.parts.map(({ sizeBytes, storedSizeBytes, ...part }) => ({
        ...part,
        size: sizeBytes,
        storedSize: storedSizeBytes,
      })),
      inventorySummary: InventorySummaryType.of(inventory),
      encrypted: false,
      hold: row.hold === null ? null : { ...row.hold, at: new Date(row.hold.at) },
      verifiedAt: row.verified === null ? null : new Date(row.verified.at),
      verifiedLevel: row.verified?.level ?? null,
    });
  }
}

export const BackupJobConnection = connection('BackupJob', () => BackupJobType);

@ObjectType('StartBackupPayload')
export class StartBackupPayload {
  @Field(() => ID)
  readonly batchId!: string;

  @Field(() => [BackupJobType], { description: "One for each destination, in the plan's order." })
  readonly jobs!: readonly BackupJobType[];
}

function isInventory(value: unknown): value is Inventory {
  return typeof value === 'object' && value !== null && 'databases' in value && Array.isArray(value.databases);
}

/** Milliseconds; null until the job has ended, and where it never started. */
export function executionTimeMs(job: { readonly startedAt: Date | null; readonly finishedAt: Date | null }) {
  if (job.startedAt === null || job.finishedAt === null) return null;
  return Math.max(0, job.finishedAt.getTime() - job.startedAt.getTime());
}
