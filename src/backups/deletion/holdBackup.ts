import type { CommandHandling, CommandRequest } from '../../eventSourcing/commandHandling.js';
import { backupJob } from '../backupJob.js';
import { lockDestination } from '../backupJobCommands.js';
import type { BackupJobRow } from '../backupJobView.js';

type HoldTools = { readonly commands: CommandHandling; readonly now: () => Date };
type HeldJob = Pick<BackupJobRow, 'id' | 'projectId' | 'planId' | 'serviceId' | 'fileEndpointId'>;

/**
 * From here on neither retention nor a person deletes the backup, until the hold is released. Held for the same reason
 * already: nothing changes. Held for another, or not stored: CONFLICT.
 */
export async function holdBackup(
  tools: HoldTools,
  request: CommandRequest,
  job: HeldJob,
  hold: { readonly reason: string; readonly by: string },
): Promise<void> {
  await tools.commands.handle<{ id: string }>(request, (commit) =>
    commit(async (tx) => {
      // Whoever decides about the destination decides with the hold, or has decided before.
      await lockDestination(tx, job.planId ?? job.serviceId, job.fileEndpointId);
      const { id, projectId } = job;
      await tx.execute(
        backupJob,
        { id, projectId },
        { kind: 'HOLD', hold: { ...hold, at: tools.now().toISOString() } },
      );
      return { id };
    }),
  );
}

/** Nothing changes where nobody holds it. */
export async function releaseHold(
  tools: HoldTools,
  request: CommandRequest,
  { id, projectId }: Pick<HeldJob, 'id' | 'projectId'>,
  by: string,
): Promise<void> {
  await tools.commands.handle<{ id: string }>(request, (commit) =>
    commit(async (tx) => {
      await tx.execute(backupJob, { id, projectId }, { kind: 'RELEASE_HOLD', by, at: tools.now().toISOString() });
      return { id };
    }),
  );
}
