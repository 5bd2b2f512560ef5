import type { Engine } from '../engines/engine.js';
import type { Inventory } from '../engines/inventory.js';
import type { InventoryDifference } from '../engines/inventoryDifference.js';
import type { ServiceConnection } from '../engines/serviceConnection.js';
import type { BackupChanges } from './changes/backupChanges.js';
import type { StoredStep } from '../engines/pipeline/storedStep.js';
import type { PartSpec } from '../engines/preflightReport.js';
import type { IncludedUsers } from '../engines/runningDump.js';
import type { Storage, StoredSegment } from '../storage/storage.js';

/**
 * The way from a dump to a stored object and back. The archive knows engines and storages by their contracts, and does
 * not know jobs, leases or events: the caller turns its result into an event.
 */
export type BackupPhase = 'PREFLIGHT' | 'DUMPING' | 'FINALISING' | 'VERIFYING';
export type RestorePhase = 'PREFLIGHT' | 'FETCHING' | 'RESTORING' | 'CHECKING';

export type ArchiveProgress = {
  readonly readBytes: number;
  readonly storedBytes: number;
  readonly segments: number;
  /** 0 to 1, or null. */
  readonly share: number | null;
  /** The step that runs now, if it is known how much it has to do. Null: the end cannot be estimated yet. */
  readonly work: WorkOfStep | null;
};

/** The bytes that a dump reads in all, or that a restore writes in all. */
export type WorkOfStep = {
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** How long the step has been running. */
  readonly elapsedMs: number;
};

export type ArchivePart = PartSpec & {
  readonly objectName: string;
  /** The names of the steps that its bytes passed before they were stored, in this order. Absent: zstd. */
  readonly steps?: readonly string[];
  /** The number of bytes of the plain dump. */
  readonly sizeBytes: number;
  readonly storedSizeBytes: number;
  /** SHA-256 of the stored bytes, hex. */
  readonly checksum: string;
  readonly etag: string;
  readonly segments: readonly StoredSegment[];
  /** See StoredObject. */
  readonly manifestBytes?: number;
  readonly restoreByHand: string;
  /** The programs that the command needs, with their versions. Absent: not recorded. */
  readonly restoreByHandNeeds?: string;
  /** The statement size that a target must accept. Absent: not recorded. */
  readonly longestStatementBytes?: number;
};

export type BackupDescription = {
  readonly installationId: string;
  readonly projectId: string;
  readonly serviceId: string;
  readonly serviceName: string;
  readonly planId: string | null;
  readonly jobId: string;
  readonly batchId: string;
  readonly attempt: number;
  readonly trigger: string;
  /** ISO 8601. */
  readonly startedAt: string;
};

export type TakeBackup = {
  readonly engine: Engine;
  readonly connection: ServiceConnection;
  /** Reads the current connection data. Called before each query of the server after the dump. */
  readonly connectionNow?: () => Promise<ServiceConnection>;
  /** How long queries after the dump are retried, from the first failure on. Default 60 s. */
  readonly askAgainMs?: number;
  readonly storage: Storage;
  /** The attempt's own folder, ending in `/`. Nothing outside of it is written. */
  readonly folder: string;
  readonly description: BackupDescription;
  /**
   * Returns the shell command that writes an object to standard output, from its storage kind. `restoreByHand` uses it.
   */
  readonly downloadCommand: (objectName: string) => string;
  /** Default: NONE. */
  readonly includeUsers?: IncludedUsers;
  /** The steps that each part passes before it is stored, in this order. Default: `usualSteps`. */
  readonly steps?: readonly StoredStep[];
  readonly workFolder: string;
  readonly signal: AbortSignal;
  /** The backup fails with STALLED if no byte moves for this long. */
  readonly stallTimeoutMs: number;
  /**
   * The backup fails with SERVICE_BUSY if another session waits for a lock of this job for this long. Null or absent:
   * no limit.
   */
  readonly lockPatienceMs?: number | null;
  /** The backup fails with TIMEOUT if it takes longer. Null: no limit. */
  readonly timeoutMs: number | null;
  /** The clock of `startedAt`. */
  readonly now: () => Date;
  readonly onPhase: (phase: BackupPhase) => Promise<void>;
  /** Called while the preflight runs. When it rejects, the backup fails before anything is stored or dumped. */
  readonly mayStore?: (signal: AbortSignal) => Promise<unknown>;
  /**
   * Called with the inventory of the checked dump, before backup.json is written. When it rejects, the backup fails.
   * Default: nothing is compared.
   */
  readonly review?: (inventory: Inventory) => Promise<BackupReview>;
  /** The bytes of the previous dump of the same databases, for estimates. Null or absent: unknown. */
  readonly previousBytes?: number | null;
  readonly onProgress: (progress: ArchiveProgress) => void;
};

export type BackupReview = {
  /** Null: there is no previous backup. */
  readonly changes: BackupChanges | null;
  readonly warnings: readonly string[];
};

/** A complete backup. Only `takeBackup` creates one, after it has read backup.json back. */
export type TakenBackup = {
  readonly folder: string;
  readonly parts: readonly ArchivePart[];
  readonly inventory: Inventory;
  readonly warnings: readonly string[];
  readonly sizeBytes: number;
  readonly storedSizeBytes: number;
  /** Absent: nothing was compared. */
  readonly changes?: BackupChanges;
};

export type RestoreBackup = {
  /** The id by which our sessions on the target are found. */
  readonly restoreId: string;
  readonly engine: Engine;
  readonly target: ServiceConnection;
  readonly storage: Storage;
  readonly backup: { readonly folder: string; readonly parts: readonly ArchivePart[]; readonly inventory: Inventory };
  readonly workFolder: string;
  readonly signal: AbortSignal;
  readonly stallTimeoutMs: number;
  readonly onPhase: (phase: RestorePhase) => Promise<void>;
  readonly onProgress: (progress: ArchiveProgress) => void;
  /**
   * Awaited just before the first statement can reach the target, when everything that the tool needs is ready. After
   * this call nothing is retried automatically.
   */
  readonly onToolStarting: () => Promise<void>;
};

export type RestoredBackup = {
  readonly warnings: readonly string[];
  readonly differences: readonly InventoryDifference[];
};
