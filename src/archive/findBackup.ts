import { StowageError } from '../errors.js';
import type { Storage } from '../storage/storage.js';
import type { BackupDescription, TakenBackup } from './archive.js';
import { readBackupDocument, type BackupDocument } from './backupDocument.js';
import { partObject } from './layout.js';

export type BackupToFind = {
  readonly storage: Storage;
  /** The attempt's own folder, ending in `/`. */
  readonly folder: string;
  readonly engine: string;
  /** These values must be equal in its backup.json, except for the service's name, which may have changed since. */
  readonly description: Omit<BackupDescription, 'serviceName'>;
  readonly signal: AbortSignal;
  /** Called for each answer of the storage. */
  readonly onAnswer: () => void;
};

export type FoundBackup =
  | {
      readonly kind: 'WHOLE';
      readonly backup: TakenBackup;
      /** ISO 8601 in UTC, not before the start. Null: its backup.json does not record the time. */
      readonly finishedAt: string | null;
    }
  /** The storage answers, but there is no complete backup of this attempt. */
  | { readonly kind: 'NONE'; readonly why: string };

/**
 * Checks whether an attempt whose end was never reported has left a complete backup: its own complete backup.json, and
 * every part and segment. It verifies them as `takeBackup` does, and writes nothing. Throws what the storage throws,
 * and the reason of the signal. In these cases the result is unknown.
 */
export async function findBackup(input: BackupToFind): Promise<FoundBackup> {
  const { storage, folder, signal, onAnswer } = input;
  try {
    const document = await readBackupDocument(storage, folder, { signal });
    onAnswer();
    if (document === undefined) return { kind: 'NONE', why: 'There is no backup.json.' };
    const wrong = whatIsWrong(input, document);
    if (wrong !== undefined) return { kind: 'NONE', why: `Its backup.json ${wrong}.` };
    for (const { objectName, storedSizeBytes: sizeBytes, checksum: sha256, etag, segments } of document.parts) {
      const isThere = (await storage.head(objectName, { signal })) !== undefined;
      if (!isThere) return { kind: 'NONE', why: `'${objectName}' is not there.` };
      await storage.verify(objectName, { sizeBytes, sha256, etag, segments }, { signal, onAnswer });
      onAnswer();
    }
    const { parts, inventory, warnings, sizeBytes, storedSizeBytes, changes } = document;
    const backup = {
      ...{ folder, parts, inventory, warnings, sizeBytes, storedSizeBytes },
      ...(changes === undefined ? {} : { changes }),
    };
    return { kind: 'WHOLE', backup, finishedAt: endOf(document) };
  } catch (error) {
    if (error instanceof StowageError && error.code === 'CHECKSUM') return { kind: 'NONE', why: error.message };
    throw error;
  }
}

/** Undefined: the document belongs to the attempt and is consistent. */
function whatIsWrong({ folder, engine, description }: BackupToFind, document: BackupDocument): string | undefined {
  const { parts } = document;
  if (document.engine !== engine) return `is of ${document.engine}`;
  for (const field of Object.keys(description) as (keyof typeof description)[]) {
    if (document.description[field] !== description[field]) return `has another ${field}`;
  }
  if (parts.some((part) => part.objectName !== partObject(folder, part))) return 'names an object of another backup';
  if (new Set(parts.map(({ name }) => name)).size < parts.length) return 'names a part twice';
  const agrees =
    document.sizeBytes === sum(parts.map((part) => part.sizeBytes)) &&
    document.storedSizeBytes === sum(parts.map((part) => part.storedSizeBytes)) &&
    parts.every((part) => part.storedSizeBytes === sum(part.segments.map((segment) => segment.sizeBytes)));
  return agrees ? undefined : 'has sizes that do not add up';
}

function endOf({ finishedAt, description }: BackupDocument): string | null {
  if (finishedAt === undefined || Date.parse(finishedAt) < Date.parse(description.startedAt)) return null;
  return new Date(finishedAt).toISOString();
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
