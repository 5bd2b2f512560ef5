import { buffer } from 'node:stream/consumers';
import type { Inventory } from '../engines/inventory.js';
import { StowageError } from '../errors.js';
import type { Storage } from '../storage/storage.js';
import type { ArchivePart, BackupDescription, TakenBackup } from './archive.js';
import type { BackupChanges } from './changes/backupChanges.js';
import { backupDocumentSchema } from './backupDocumentSchema.js';
import { backupDocumentName } from './layout.js';

/**
 * backup.json: everything that is needed to list, check and restore a backup with only the container. It holds no
 * secret and no address of the database server. Later versions can read every `formatVersion` that was ever written.
 */
export type BackupDocument = {
  readonly format: 'stowage-backup';
  /**
   * The lowest version whose readers understand the document.
   * - 5: the checksum of a segment covers the object from its beginning to the end of the segment.
   * - 4: the manifest of a part names manifests. An older reader would report its segments as missing.
   * - 3: a part passed other steps than only zstd, or is never replayed. An older reader would replay such a part, or
   *   pass compressed or encrypted bytes to the restore tool.
   * - 2: a part may name the connection character set of its dump, and the inventory may hold definitions.
   * - 1: the connection character set is always utf8mb4.
   */
  readonly formatVersion: 1 | 2 | 3 | 4 | 5;
  readonly engine: string;
  readonly description: BackupDescription;
  /** Used by readers of versions 1 and 2. Absent where each part names its steps. */
  readonly compression?: 'zstd';
  readonly parts: readonly ArchivePart[];
  readonly inventory: Inventory;
  readonly warnings: readonly string[];
  readonly sizeBytes: number;
  readonly storedSizeBytes: number;
  /** Absent: there is no previous backup, or the changes were not recorded. */
  readonly changes?: BackupChanges;
  /**
   * ISO 8601: the time when everything except this document was stored and verified. Absent in the first documents that
   * were written.
   */
  readonly finishedAt?: string;
  /** The commands with which a person restores the backup without Stowage. */
  readonly restoreByHand: readonly string[];
};

/** A larger document is not read into memory. A server with a million tables stays far below this limit. */
const largestReadBytes = 256 * 1024 * 1024;

export function documentOf(
  { parts, inventory, warnings, sizeBytes, storedSizeBytes, changes }: TakenBackup,
  about: Pick<BackupDocument, 'engine' | 'description'> & { readonly finishedAt: string },
): BackupDocument {
  return {
    format: 'stowage-backup',
    formatVersion: 5,
    engine: about.engine,
    description: about.description,
    ...{ parts, inventory, warnings, sizeBytes, storedSizeBytes },
    ...(changes === undefined ? {} : { changes }),
    finishedAt: about.finishedAt,
    restoreByHand: parts.map((part) => part.restoreByHand),
  };
}

/** Indented, because people read it too. */
export function serializeBackupDocument(backup: BackupDocument): Uint8Array {
  return Buffer.from(`${JSON.stringify(backup, null, 2)}\n`, 'utf8');
}

/** Throws CHECKSUM with the reason if the text is not a complete backup.json that this version knows. */
function parseBackupDocument(text: Uint8Array, name: string): BackupDocument {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(text).toString('utf8'));
  } catch (error) {
    throw unreadable(name, 'it is not JSON', error);
  }
  const parsed = backupDocumentSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw unreadable(name, issue === undefined ? 'it has another shape' : `${issue.path.join('.')}: ${issue.message}`);
}

/** Undefined: the storage answers, and there is no backup.json in this folder. Throws CHECKSUM if it cannot be read. */
export async function readBackupDocument(
  storage: Storage,
  folder: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<BackupDocument | undefined> {
  const signal = options.signal ?? new AbortController().signal;
  const name = `${folder}${backupDocumentName}`;
  const info = await storage.head(name, { signal });
  if (info === undefined) return undefined;
  if (info.sizeBytes > largestReadBytes) throw unreadable(name, `it has ${info.sizeBytes} bytes`);
  return parseBackupDocument(await buffer(storage.get(name, { signal, etag: info.etag })), name);
}

function unreadable(name: string, why: string, cause?: unknown): StowageError {
  return new StowageError('CHECKSUM', `'${name}' is not a backup document that this version can read: ${why}.`, {
    help: 'If a newer version of Stowage wrote it, use that version. Otherwise the object was damaged, or another program created it.',
    retriable: false,
    cause,
  });
}
