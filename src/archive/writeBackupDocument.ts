import { buffer } from 'node:stream/consumers';
import { StowageError } from '../errors.js';
import type { TakeBackup, TakenBackup } from './archive.js';
import { documentOf, type BackupDocument } from './backupDocument.js';
import { fitBackupDocument } from './fitBackupDocument.js';
import { backupDocumentName } from './layout.js';
import type { Limits } from './limits.js';

/**
 * Writes the document last, only if there is none, and then reads it back and compares it. Returns the written
 * document. If the backup is too large, the document omits details. Throws CHECKSUM, TOOL_FAILED or an ENDPOINT_… code.
 */
export async function writeBackupDocument(
  input: TakeBackup,
  backup: TakenBackup,
  limits: Limits,
): Promise<BackupDocument> {
  const { storage, folder } = input;
  const { signal, moved } = limits;
  const finishedAt = input.now().toISOString();
  const about = { engine: input.engine.name, description: input.description, finishedAt };
  const { document, bytes } = fitBackupDocument(documentOf(backup, about));
  const name = `${folder}${backupDocumentName}`;
  moved();
  const { etag } = await storage.putBytes(name, bytes, { signal });
  moved();
  const readBack = await buffer(storage.get(name, { signal, etag }));
  if (!readBack.equals(bytes)) {
    throw new StowageError('CHECKSUM', `'${name}' differs from the written document when it is read back.`);
  }
  return document;
}
