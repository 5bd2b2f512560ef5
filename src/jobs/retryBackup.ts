import { randomUUID } from 'node:crypto';
import { notFound, StowageError } from '../errors.js';
import type { CommandRequest } from '../eventSourcing/commandHandling.js';
import { backupJob } from './backupJob.js';
import { queueBackup } from './backupJobCommands.js';
import type { BackupTools } from './startBackup.js';

/** Queues a new job like the one that FAILED or was CANCELLED; any other is CONFLICT. Answers the new job's id. */
export async function retryBackup(
  tools: BackupTools,
  request: CommandRequest,
  retry: { readonly jobId: string; readonly projectId: string; readonly requestedBy: string },
): Promise<string> {
  const { jobId, projectId, requestedBy } = retry;
  const { id } = await tools.commands.handle<{ id: string }>(request, (commit) =>
    commit(async (tx) => {
      const { state } = await tx.load(backupJob, jobId);
      if (state.status === 'NONE') throw notFound('backup job');
      if (state.status !== 'FAILED' && state.status !== 'CANCELLED') {
        throw new StowageError('CONFLICT', `The backup job is ${state.status}, so there is nothing to retry.`, {
          help: 'Only a FAILED or CANCELLED job can be retried; startBackup starts a new one at any time.',
        });
      }
      const id = randomUUID();
      await queueBackup(
        tx,
        tools.queue,
        { id, projectId },
        {
          ...state.request,
          trigger: 'RETRY',
          batchId: randomUUID(),
          requestedBy,
          retryOf: jobId,
          scheduledFor: null,
          queuedAt: tools.now().toISOString(),
        },
      );
      return { id };
    }),
  );
  await tools.signals.send('work');
  return id;
}
