import type { Engine } from '../engines/engine.js';
import type { Inventory } from '../engines/inventory.js';
import type { InventoryDifference } from '../engines/inventoryDifference.js';
import type { ServiceConnection } from '../engines/serviceConnection.js';
import type { Storage, StoredSegment } from '../storage/storage.js';

/**
 * The pipeline from a dump to an object and back. It knows engines and storages by their contracts and nothing of
 * jobs, leases or events: whoever calls it turns its result into an event.
 */
export type BackupPhase = 'PREFLIGHT' | 'DUMPING' | 'FINALISING' | 'VERIFYING';
export type RestorePhase = 'PREFLIGHT' | 'FETCHING' | 'RESTORING' | 'CHECKING';

export type ArchiveProgress = {
  readonly readBytes: number;
  readonly storedBytes: number;
  readonly segments: number;
  /** 0 to 1, or null. */
  readonly share: number | null;
};

export type ArchivePart = {
  readonly name: string;
  readonly extension: string;
  readonly objectName: string;
  /** Bytes of the plain dump. */
  readonly sizeBytes: number;
  readonly storedSizeBytes: number;
  /** SHA-256 of the stored bytes, hex. */
  readonly checksum: string;
  readonly etag: string;
  readonly segments: readonly StoredSegment[];
  readonly restoreByHand: string;
  /** What the line needs: the programs and their versions. This and what follows, absent: not recorded. */
  readonly restoreByHandNeeds?: string;
  /** The connection character set that it was dumped with and must be restored with. Absent: utf8mb4. */
  readonly characterSet?: string;
  readonly tool?: { readonly name: string; readonly version: string };
  /** What a target must accept in one statement. */
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
  /** The connection as it is stored by then: asked for when the server refuses the login after the dump. */
  readonly connectionNow?: () => Promise<ServiceConnection>;
  /** How long a server that does not answer after the dump is asked again. Default 60 s. */
  readonly askAgainMs?: number;
  readonly storage: Storage;
  /** The attempt's own folder, ending in `/`; nothing outside it is written. */
  readonly folder: string;
  readonly description: BackupDescription;
  /** For `restoreByHand`: how a person downloads an object to standard output, for example `swift download -o - c NAME`. */
  readonly downloadCommand: (objectName: string) => string;
  readonly workFolder: string;
  readonly signal: AbortSignal;
  /** No byte for this long: STALLED. */
  readonly stallTimeoutMs: number;
  /** Somebody waits for a lock of ours for this long: SERVICE_BUSY. Null, or left out: they may. */
  readonly lockPatienceMs?: number | null;
  /** Longer than this altogether: TIMEOUT. Null: no limit. */
  readonly timeoutMs: number | null;
  /** The clock of `startedAt`. */
  readonly now: () => Date;
  readonly onPhase: (phase: BackupPhase) => Promise<void>;
  /** Asked beside the preflight. What it rejects with ends the backup before anything is stored, or the dump tool started. */
  readonly mayStore?: (signal: AbortSignal) => Promise<unknown>;
  readonly onProgress: (progress: ArchiveProgress) => void;
};

/** All that is true of a backup that may be called one. Only `takeBackup` makes it, after backup.json was read back. */
export type TakenBackup = {
  readonly folder: string;
  readonly parts: readonly ArchivePart[];
  readonly inventory: Inventory;
  readonly warnings: readonly string[];
  readonly sizeBytes: number;
  readonly storedSizeBytes: number;
};

export type RestoreBackup = {
  /** By it our sessions on the target are found. */
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
   * Awaited just before the first statement can reach the target, when all that the tool needs is there: from here on
   * nothing is retried by itself.
   */
  readonly onToolStarting: () => Promise<void>;
};

export type RestoredBackup = {
  readonly warnings: readonly string[];
  readonly differences: readonly InventoryDifference[];
};
