import type { BackupChanges } from '../archive/changes/backupChanges.js';
import { StowageError } from '../errors.js';
import type { JsonValue } from '../json.js';

/**
 * The life of the stored bytes of a SUCCEEDED backup job. Readers reserve them, people hold them, and checks verify
 * them. An audit may report them missing, and later find them again. Finally they are deleted.
 */
export type StoredBackup = {
  readonly result: BackupResult;
  readonly availability: BackupAvailability;
  /** When the container first reported that the bytes are missing. Null: it never did, or they were found again. */
  readonly absentSince: string | null;
  /** The ids of the restores (and other readers) that have reserved the bytes. */
  readonly readers: readonly string[];
  readonly hold: Hold | null;
  readonly verified: Verification | null;
};

export type BackupAvailability = 'STORED' | 'DELETING' | 'DELETED' | 'MISSING';

/** Keeps a backup from being deleted, by retention or by hand, until it is released. */
export type Hold = { readonly reason: string; readonly by: string; readonly at: string };

/** Used by verification on demand, which is announced and not built. No command records a verification yet. */
export type Verification = { readonly level: 'STORED' | 'READABLE' | 'RESTORED'; readonly at: string };

export type BackupResult = {
  readonly folder: string;
  readonly parts: readonly StoredPart[];
  readonly inventory: JsonValue;
  readonly warnings: readonly string[];
  readonly sizeBytes: number;
  readonly storedSizeBytes: number;
  /** Absent: there is no previous backup, or the changes were not recorded. */
  readonly changes?: BackupChanges;
};

export type StoredPart = {
  readonly name: string;
  readonly extension: string;
  /** Absent: all databases of the inventory. */
  readonly databases?: readonly string[];
  /** False: no restore replays it. */
  readonly replay?: false;
  readonly objectName: string;
  /** The steps that its bytes passed before they were stored. Absent: zstd. */
  readonly steps?: readonly string[];
  readonly sizeBytes: number;
  readonly storedSizeBytes: number;
  readonly checksum: string;
  readonly etag: string;
  readonly restoreByHand: string;
  /** This property and those below are absent if they were not recorded. */
  readonly restoreByHandNeeds?: string;
  readonly characterSet?: string;
  readonly tool?: { readonly name: string; readonly version: string };
  readonly longestStatementBytes?: number;
  /** See StoredObject. */
  readonly manifestBytes?: number;
};

export type DeletionReason = 'BY_HAND' | 'RETENTION';

/**
 * A backup becomes MISSING when the container has reported the bytes missing twice, with at least this time in between.
 */
export const missingAfterMs = 3_600_000;

export type StoredBackupCommand =
  | { readonly kind: 'RESERVE'; readonly readerId: string; readonly at: string }
  | { readonly kind: 'RELEASE'; readonly readerId: string; readonly at: string }
  | { readonly kind: 'HOLD'; readonly hold: Hold }
  | { readonly kind: 'RELEASE_HOLD'; readonly by: string; readonly at: string }
  | { readonly kind: 'RECORD_VERIFICATION'; readonly verification: Verification }
  /** The container has reported that the bytes are missing. */
  | { readonly kind: 'REPORT_ABSENT'; readonly at: string }
  | { readonly kind: 'REPORT_PRESENT'; readonly at: string }
  | { readonly kind: 'DECIDE_DELETION'; readonly reason: DeletionReason; readonly by: string; readonly at: string }
  | { readonly kind: 'CONFIRM_DELETION'; readonly at: string };

export type StoredBackupEvent =
  | { readonly type: 'BackupReserved'; readonly data: { readonly readerId: string; readonly at: string } }
  | { readonly type: 'BackupReleased'; readonly data: { readonly readerId: string; readonly at: string } }
  | { readonly type: 'BackupHeld'; readonly data: { readonly hold: Hold } }
  | { readonly type: 'BackupHoldReleased'; readonly data: { readonly by: string; readonly at: string } }
  | { readonly type: 'BackupVerified'; readonly data: { readonly verification: Verification } }
  | { readonly type: 'BackupAbsent'; readonly data: { readonly at: string } }
  | { readonly type: 'BackupMissing'; readonly data: { readonly at: string } }
  | { readonly type: 'BackupFound'; readonly data: { readonly at: string } }
  | {
      readonly type: 'BackupDeletionDecided';
      readonly data: { readonly reason: DeletionReason; readonly by: string; readonly at: string };
    }
  | { readonly type: 'BackupDeleted'; readonly data: { readonly at: string } };

export function storedBackup(result: BackupResult): StoredBackup {
  return { result, availability: 'STORED', absentSince: null, readers: [], hold: null, verified: null };
}

export function decideStored(command: StoredBackupCommand, backup: StoredBackup): readonly StoredBackupEvent[] {
  const { availability, readers, hold } = backup;
  switch (command.kind) {
    case 'RESERVE':
      mustBeStored(backup);
      return readers.includes(command.readerId)
        ? []
        : [{ type: 'BackupReserved', data: { readerId: command.readerId, at: command.at } }];
    case 'RELEASE':
      return readers.includes(command.readerId)
        ? [{ type: 'BackupReleased', data: { readerId: command.readerId, at: command.at } }]
        : [];
    case 'HOLD':
      mustBeStored(backup);
      if (hold !== null) {
        if (hold.reason === command.hold.reason) return [];
        throw new StowageError('CONFLICT', `This backup is already held by ${hold.by}: ${hold.reason}`, {
          help: 'Release that hold first, or keep it.',
        });
      }
      return [{ type: 'BackupHeld', data: { hold: command.hold } }];
    case 'RELEASE_HOLD':
      return hold === null ? [] : [{ type: 'BackupHoldReleased', data: { by: command.by, at: command.at } }];
    case 'RECORD_VERIFICATION':
      mustBeStored(backup);
      return [{ type: 'BackupVerified', data: { verification: command.verification } }];
    case 'REPORT_ABSENT':
      return reportAbsent(backup, command.at);
    case 'REPORT_PRESENT':
      return availability === 'MISSING' || (availability === 'STORED' && backup.absentSince !== null)
        ? [{ type: 'BackupFound', data: { at: command.at } }]
        : [];
    case 'DECIDE_DELETION': {
      if (availability === 'DELETING' || availability === 'DELETED') return [];
      mustBeUnused(backup);
      const { reason, by, at } = command;
      return [{ type: 'BackupDeletionDecided', data: { reason, by, at } }];
    }
    case 'CONFIRM_DELETION':
      return availability === 'DELETING' ? [{ type: 'BackupDeleted', data: { at: command.at } }] : [];
  }
}

export function evolveStored(backup: StoredBackup, event: StoredBackupEvent): StoredBackup {
  switch (event.type) {
    case 'BackupReserved':
      return { ...backup, readers: [...backup.readers, event.data.readerId] };
    case 'BackupReleased':
      return { ...backup, readers: backup.readers.filter((reader) => reader !== event.data.readerId) };
    case 'BackupHeld':
      return { ...backup, hold: event.data.hold };
    case 'BackupHoldReleased':
      return { ...backup, hold: null };
    case 'BackupVerified':
      return { ...backup, verified: event.data.verification };
    case 'BackupAbsent':
      return { ...backup, absentSince: event.data.at };
    case 'BackupMissing':
      return { ...backup, availability: 'MISSING' };
    case 'BackupFound':
      return { ...backup, availability: 'STORED', absentSince: null };
    case 'BackupDeletionDecided':
      return { ...backup, availability: 'DELETING' };
    case 'BackupDeleted':
      return { ...backup, availability: 'DELETED' };
  }
}

function reportAbsent({ availability, absentSince }: StoredBackup, at: string): readonly StoredBackupEvent[] {
  if (availability !== 'STORED') return [];
  if (absentSince === null) return [{ type: 'BackupAbsent', data: { at } }];
  return Date.parse(at) - Date.parse(absentSince) >= missingAfterMs ? [{ type: 'BackupMissing', data: { at } }] : [];
}

function mustBeStored({ availability }: StoredBackup): void {
  if (availability !== 'STORED') throw notStored(`its bytes are ${availability}`);
}

function mustBeUnused({ readers, hold }: StoredBackup): void {
  if (readers.length > 0) {
    throw new StowageError('CONFLICT', 'A restore is reading this backup.', {
      help: 'Wait until the restore has ended, or cancel it, and then delete the backup.',
    });
  }
  if (hold !== null) {
    throw new StowageError('CONFLICT', `This backup is held by ${hold.by}: ${hold.reason}`, {
      help: 'Release the hold first (releaseBackup), and then delete the backup.',
    });
  }
}

/** `what` names the obstacle, for example the status of the job. */
export function notStored(what: string): StowageError {
  return new StowageError('CONFLICT', `There is no stored backup here: ${what}.`, {
    help: 'Choose a backup that is SUCCEEDED and STORED.',
  });
}
