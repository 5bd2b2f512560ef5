import { randomUUID } from 'node:crypto';
import { In } from 'typeorm';
import { FileEndpointTable } from '../endpoints/fileEndpointView.js';
import { notFound, StowageError } from '../errors.js';
import type { CommandRequest } from '../eventSourcing/commandHandling.js';
import type { Transaction } from '../eventSourcing/eventStore.js';
import { backupJob, type BackupRequest, type FirstTrigger } from './backupJob.js';
import { queueBackup } from './backupJobCommands.js';
import { BackupJobTable, triggerThatCounts } from './backupJobView.js';
import { plannedBackups, engineOfService, type BackupTools } from './startBackup.js';

/**
 * Queues a new job that replaces a FAILED or CANCELLED job, with the current settings of its plan. Throws CONFLICT if
 * the job has another status, or if its plan, destination, service or file endpoint was removed. While a retry has not
 * ended, no second retry is queued. Returns the id of the retry.
 */
export async function retryBackup(
  tools: BackupTools,
  request: CommandRequest,
  retry: { readonly jobId: string; readonly projectId: string; readonly requestedBy: string },
): Promise<string> {
  const { jobId, projectId, requestedBy } = retry;
  const { id } = await tools.commands.handle<{ id: string }>(request, (commit) =>
    commit(async (tx) => {
      await lockRetriesOf(tx, jobId);
      const { state } = await tx.load(backupJob, jobId);
      if (state.status === 'NONE') throw notFound('backup job');
      if (state.status !== 'FAILED' && state.status !== 'CANCELLED') {
        throw new StowageError('CONFLICT', `The backup job is ${state.status}, so there is nothing to retry.`, {
          help: 'Only a FAILED or CANCELLED job can be retried; startBackup starts a new one at any time.',
        });
      }
      const active = await tx.manager.findOneBy(BackupJobTable, {
        retryOf: jobId,
        status: In(['QUEUED', 'RUNNING']),
      });
      if (active !== null) return { id: active.id };
      const id = randomUUID();
      await queueBackup(
        tx,
        tools.queue,
        { id, projectId },
        {
          ...state.request,
          ...(await asItStandsNow(tx, state.request)),
          trigger: 'RETRY',
          batchId: randomUUID(),
          requestedBy,
          retryOf: jobId,
          standsFor: await standsFor(tx, jobId),
          scheduledFor: null,
          queuedAt: tools.now().toISOString(),
        },
      );
      return { id };
    }),
  );
  return id;
}

/** Read from the row, because the events of older jobs do not record it. */
async function standsFor(tx: Transaction, jobId: string): Promise<FirstTrigger | null> {
  return triggerThatCounts(await tx.manager.findOneByOrFail(BackupJobTable, { id: jobId }));
}

/** Serializes retries of one job, so that the second retry finds the job that the first has queued. */
async function lockRetriesOf(tx: Transaction, jobId: string): Promise<void> {
  await tx.manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`retry:${jobId}`]);
}

/** Uses the current settings of the plan, so that a job that exceeded a limit is retried with the current limit. */
async function asItStandsNow(tx: Transaction, request: BackupRequest): Promise<Partial<BackupRequest>> {
  const { planId, serviceId, fileEndpointId } = request;
  if (planId !== null) {
    const destinations = await plannedBackups(tx, planId);
    const destination = destinations.find((each) => each.fileEndpointId === fileEndpointId);
    if (destination !== undefined) return destination;
    throw new StowageError('CONFLICT', 'The backup plan no longer stores at the file endpoint of this job.', {
      help: 'Start a backup of the plan, or of the service to that file endpoint.',
    });
  }
  const endpoint = await tx.manager.findOneBy(FileEndpointTable, { id: fileEndpointId });
  if (endpoint === null || endpoint.removedAt !== null) {
    throw new StowageError('CONFLICT', 'The file endpoint of this job was removed.', {
      help: 'Start a backup of the service to another file endpoint.',
    });
  }
  return { engine: await engineOfService(tx, serviceId) };
}
