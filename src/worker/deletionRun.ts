import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import { deleteBackup } from '../archive/deleteBackup.js';
import { installationMarker } from '../archive/layout.js';
import { StowageError } from '../errors.js';
import { confirmDeletion } from '../jobs/backupJobCommands.js';
import { BackupJobTable, type BackupJobRow } from '../jobs/backupJobView.js';
import type { OpenedStorage, WorkerTools } from './workerTools.js';

const atOnce = 50;
const deletionMs = 10 * 60_000;

/**
 * Carries out the deletions that were decided: the container first, then the event that it confirmed. A backup whose
 * container refuses stays DELETING and is tried again by a later call; the record is never dropped while bytes may
 * remain. Returns how many are gone.
 */
export async function deleteDecidedBackups(tools: WorkerTools, signal: AbortSignal): Promise<number> {
  const rows = await tools.dataSource.manager.find(BackupJobTable, {
    where: { availability: 'DELETING' },
    order: { queuedAt: 'ASC', id: 'ASC' },
    take: atOnce,
  });
  let gone = 0;
  for (const row of rows) {
    try {
      signal.throwIfAborted();
      await deleteOne(tools, row, signal);
      gone += 1;
    } catch (error) {
      if (signal.aborted) break;
      tools.log.warn({ err: error, jobId: row.id }, 'A backup could not be deleted from its container yet');
    }
  }
  return gone;
}

async function deleteOne(tools: WorkerTools, row: BackupJobRow, signal: AbortSignal): Promise<void> {
  const { folder } = row;
  if (folder === null) throw new StowageError('INTERNAL', `Backup ${row.id} has no folder.`);
  const opened = await tools.storageOf(row.fileEndpointId);
  try {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(deletionMs)]);
    await refuseForeignPrefix(opened, tools.installationId, limited);
    await deleteBackup({ storage: opened.storage, folder, signal: limited });
  } finally {
    await opened.storage.close();
  }
  const metadata = { actor: `worker:${tools.workerId}`, correlationId: row.batchId };
  const job = { id: row.id, projectId: row.projectId };
  await tools.store.transact(metadata, (tx) => confirmDeletion(tx, job, tools.now()));
}

const marker = z.object({ installationId: z.string() });

/** In a prefix that another installation owns nothing is deleted. */
async function refuseForeignPrefix(
  { storage, prefix }: OpenedStorage,
  installationId: string,
  signal: AbortSignal,
): Promise<void> {
  const name = installationMarker(prefix);
  if ((await storage.head(name, { signal })) === undefined) return;
  const text = await buffer(storage.get(name, { signal }));
  const owner = marker.safeParse(JSON.parse(text.toString('utf8')));
  if (owner.success && owner.data.installationId === installationId) return;
  throw new StowageError('ENDPOINT_FORBIDDEN', `Another installation owns '${prefix === '' ? '/' : prefix}' there.`, {
    help: 'Delete the backup with the installation that made it, or give this one a prefix of its own.',
  });
}
