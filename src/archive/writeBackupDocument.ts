import { buffer } from 'node:stream/consumers';
import { StowageError } from '../errors.js';
import type { TakeBackup, TakenBackup } from './archive.js';
import { documentOf, serializeBackupDocument } from './backupDocument.js';
import { backupDocumentName } from './layout.js';
import type { Limits } from './limits.js';

/** Written last, only if there is none, and then read back and compared. Throws CHECKSUM or an ENDPOINT_… code. */
export async function writeBackupDocument(input: TakeBackup, backup: TakenBackup, limits: Limits): Promise<void> {
  const { storage, folder } = input;
  const { signal, moved } = limits;
  const finishedAt = input.now().toISOString();
  const document = documentOf(backup, { engine: input.engine.name, description: input.description, finishedAt });
  const name = `${folder}${backupDocumentName}`;
  const bytes = serializeBackupDocument(document);
  moved();
  const { etag } = await storage.putBytes(name, bytes, { signal });
  moved();
  const readBack = await buffer(storage.get(name, { signal, etag }));
  if (!readBack.equals(bytes)) {
    throw new StowageError('CHECKSUM', `'${name}' reads back otherwise than it was written.`);
  }
}
