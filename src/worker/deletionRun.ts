import { MoreThan } from 'typeorm';
import { deleteBackup } from '../archive/deleteBackup.js';
import { prefixOfFolder } from '../archive/layout.js';
import { refuseForeignPrefix } from '../endpoints/installationMarker.js';
import { StowageError } from '../errors.js';
import { confirmDeletion } from '../jobs/backupJobCommands.js';
import { BackupJobTable, type BackupJobRow } from '../jobs/backupJobView.js';
import { retryDelay } from './retryDelay.js';
import type { WorkerTools } from './workerTools.js';

const pageSize = 50;
const deletionMs = 10 * 60_000;

/**
 * Carries out the deletions that were decided: the container first, then the event that it confirmed. A backup whose
 * container refuses stays DELETING and is tried again by a later round, after a pause that grows; the record is never
 * dropped while bytes may remain. A round answers how many are gone.
 */
export function createDeletions(tools: WorkerTools): (signal: AbortSignal) => Promise<number> {
  const refused = new Map<string, { readonly failures: number; readonly againAtMs: number }>();

  async function tryOne(row: BackupJobRow, signal: AbortSignal): Promise<boolean> {
    const before = refused.get(row.id);
    if (before !== undefined && performance.now() < before.againAtMs) return false;
    try {
      await deleteOne(tools, row, signal);
      refused.delete(row.id);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      const failures = (before?.failures ?? 0) + 1;
      const againAtMs = performance.now() + retryDelay(failures, tools.times.retry, tools.random());
      refused.set(row.id, { failures, againAtMs });
      tools.log.warn({ err: error, jobId: row.id }, 'A backup could not be deleted from its container yet');
      return false;
    }
  }

  return async (signal) => {
    let gone = 0;
    for await (const row of decided(tools)) {
      if (signal.aborted) break;
      if (await tryOne(row, signal)) gone += 1;
    }
    return gone;
  };
}

/** Page by page, so that those whose container refuses keep no others from their turn. */
async function* decided(tools: WorkerTools): AsyncGenerator<BackupJobRow> {
  for (let after = '00000000-0000-0000-0000-000000000000'; ;) {
    const rows = await tools.dataSource.manager.find(BackupJobTable, {
      where: { availability: 'DELETING', id: MoreThan(after) },
      order: { id: 'ASC' },
      take: pageSize,
    });
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < pageSize) return;
    after = last.id;
  }
}

async function deleteOne(tools: WorkerTools, row: BackupJobRow, signal: AbortSignal): Promise<void> {
  const { folder, fileEndpointId } = row;
  if (folder === null) throw new StowageError('INTERNAL', `Backup ${row.id} has no folder.`);
  await deleteFolder(tools, { fileEndpointId, folder }, AbortSignal.any([signal, AbortSignal.timeout(deletionMs)]));
  const metadata = { actor: `worker:${tools.workerId}`, correlationId: row.batchId };
  const job = { id: row.id, projectId: row.projectId };
  await tools.store.transact(metadata, (tx) => confirmDeletion(tx, job, tools.now()));
}

/** Removes an attempt's folder. Throws what `refuseForeignPrefix` throws of the prefix that it lies in: nothing is deleted there. */
export async function deleteFolder(
  tools: WorkerTools,
  { fileEndpointId, folder }: { readonly fileEndpointId: string; readonly folder: string },
  signal: AbortSignal,
): Promise<void> {
  const { storage } = await tools.storageOf(fileEndpointId);
  try {
    // Not the endpoint's prefix of today: that may have changed since.
    await refuseForeignPrefix(storage, prefixOfFolder(folder), tools.installationId, signal);
    await deleteBackup({ storage, folder, signal });
  } finally {
    await storage.close();
  }
}
