import { prefixOfFolder } from '../../archive/layout.js';
import { refuseCopy } from '../../endpoints/prefixMarks.js';
import { StowageError } from '../../errors.js';
import { confirmDeletion } from '../../backups/backupJobCommands.js';
import { BackupJobTable, type BackupJobRow } from '../../backups/backupJobView.js';
import { deleteAttemptFolder } from './attemptFolder.js';
import { inRandomOrder } from '../inRandomOrder.js';
import { createPauses } from '../pauses.js';
import { remainsOf, removeRemains } from './remains.js';
import { unlessAborted } from '../../unlessAborted.js';
import { whileLocked } from '../whileLocked.js';
import { metadataOf, type WorkerTools } from '../workerTools.js';

const pageSize = 50;
const deletionMs = 10 * 60_000;
/** Each endpoint holds a connection to PostgreSQL. */
const endpointsAtOnce = 2;

/** Errors that concern the whole endpoint. After them its other folders are not tried. */
const ofTheEndpoint: readonly string[] = ['ENDPOINT_UNREACHABLE', 'ENDPOINT_AUTH'];
/**
 * Errors that concern only one prefix. For example, an earlier prefix of the endpoint may now belong to another
 * installation.
 */
const ofThePrefix: readonly string[] = ['ENDPOINT_NOT_FOUND', 'CONFLICT'];

/**
 * Deletes the backups whose deletion was decided, and the remains of failed attempts. It deletes them in the container
 * first, and then records the confirmation of the container as an event. If a container refuses, a later round tries
 * again, after a growing pause. The record is never dropped while bytes may remain. One worker at a time works at an
 * endpoint. Two endpoints are processed at once, so that an endpoint that hangs does not delay the others. Objects at a
 * removed endpoint stay there, because its credentials are deleted.
 */
export function createDeletions(tools: WorkerTools): (signal: AbortSignal) => Promise<void> {
  const pauses = createPauses({ baseMs: tools.times.retry, random: tools.random });

  /** The result: whether to continue at this endpoint. */
  async function tryJob(row: BackupJobRow, signal: AbortSignal): Promise<boolean> {
    for (const { folder, remove } of deletionsOf(tools, row)) {
      const endpoint = row.fileEndpointId;
      const prefix = `${endpoint} ${prefixOfFolder(folder)}`;
      if (!pauses.isOver(folder) || !pauses.isOver(prefix)) continue;
      try {
        const limited = AbortSignal.any([signal, AbortSignal.timeout(deletionMs)]);
        await unlessAborted(limited, () => remove(limited));
        for (const key of [folder, prefix, endpoint]) pauses.answered(key);
      } catch (error) {
        if (signal.aborted) return false;
        const code = error instanceof StowageError ? error.code : '';
        const refused = ofTheEndpoint.includes(code) ? endpoint : ofThePrefix.includes(code) ? prefix : folder;
        pauses.refused(refused);
        tools.log.warn({ err: error, jobId: row.id }, 'The objects in a container could not be deleted yet');
        if (refused === endpoint) return false;
      }
    }
    return true;
  }

  async function atEndpoint(fileEndpointId: string, signal: AbortSignal): Promise<void> {
    for await (const row of jobsToDelete(tools, fileEndpointId)) {
      if (signal.aborted || !(await tryJob(row, signal))) return;
    }
  }

  /** The refusal concerns every endpoint, so it is logged only once. */
  let loggedRefusal = '';
  async function mayDelete(): Promise<boolean> {
    try {
      await refuseCopy(tools);
      loggedRefusal = '';
      return true;
    } catch (error) {
      if (!(error instanceof StowageError) || error.code !== 'CONFLICT') throw error;
      if (loggedRefusal !== error.message) tools.log.warn({ err: error }, 'Nothing is deleted in any container');
      loggedRefusal = error.message;
      return false;
    }
  }

  return async (signal) => {
    const endpoints = (await endpointsWithWork(tools)).filter((id) => pauses.isOver(id));
    if (endpoints.length === 0 || !(await mayDelete())) return;
    await inRandomOrder(tools, endpoints, { atOnce: endpointsAtOnce, signal }, async (id) => {
      await whileLocked(tools.dataSource, `deletions:${id}`, () => atEndpoint(id, signal));
    });
  };
}

/** The same expression as in the index `backup_jobs_to_delete`. */
const hasWork = `(job.availability = 'DELETING' OR job.attempts_with_remains <> '[]')`;

async function endpointsWithWork(tools: WorkerTools): Promise<string[]> {
  const rows = await tools.dataSource.query<{ id: string }[]>(
    `SELECT id FROM file_endpoints
     WHERE removed_at IS NULL AND id IN (SELECT job.file_endpoint_id FROM backup_jobs job WHERE ${hasWork}) ORDER BY id`,
  );
  return rows.map(({ id }) => id);
}

/** Reads page by page, so that jobs whose container refuses deletions do not block the others. */
async function* jobsToDelete(tools: WorkerTools, fileEndpointId: string): AsyncGenerator<BackupJobRow> {
  for (let after = '00000000-0000-0000-0000-000000000000'; ;) {
    const rows = await tools.dataSource.manager
      .createQueryBuilder(BackupJobTable, 'job')
      .where(`job.file_endpoint_id = :fileEndpointId AND job.id > :after AND ${hasWork}`, { fileEndpointId, after })
      .orderBy('job.id')
      .take(pageSize)
      .getMany();
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < pageSize) return;
    after = last.id;
  }
}

type Deletion = { readonly folder: string; readonly remove: (signal: AbortSignal) => Promise<unknown> };

/** Deletes each folder separately, because they may lie below different prefixes. */
function deletionsOf(tools: WorkerTools, row: BackupJobRow): readonly Deletion[] {
  const ofAttempts = remainsOf(row).map((remains) => ({
    folder: remains.attempt.folder,
    remove: (signal: AbortSignal) => removeRemains(tools, remains, signal),
  }));
  const { folder, availability } = row;
  if (availability !== 'DELETING' || folder === null) return ofAttempts;
  return [...ofAttempts, { folder, remove: (signal) => deleteBackupOf(tools, row, folder, signal) }];
}

async function deleteBackupOf(
  tools: WorkerTools,
  row: BackupJobRow,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  await deleteAttemptFolder(tools, { fileEndpointId: row.fileEndpointId, folder }, signal);
  const job = { id: row.id, projectId: row.projectId };
  await tools.store.transact(metadataOf(tools, row.batchId), (tx) => confirmDeletion(tx, job, tools.now()));
}
