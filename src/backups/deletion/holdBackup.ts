import type { CommandHandling, CommandRequest } from '../../eventSourcing/commandHandling.js';
import { backupJob } from '../backupJob.js';
import { lockDestination } from '../backupJobCommands.js';
import type { BackupJobRow } from '../backupJobView.js';

type HoldTools = { readonly commands: CommandHandling; readonly now: () => Date };
type HeldJob = Pick<BackupJobRow, 'id' | 'projectId' | 'planId' | 'serviceId' | 'fileEndpointId'>;

/**
 * Holds a backup: neither retention nor a person deletes it until the hold is released. Idempotent for the same reason.
 * CONFLICT: it is held for another reason, or it is not stored.
 */
export async function holdBackup(
  tools: HoldTools,
  request: CommandRequest,
  job: HeldJob,
  hold: { readonly reason: string; readonly by: string },
): Promise<void> {
  await tools.commands.handle<{ id: string }>(request, (commit) =>
    commit(async (tx) => {
      // A decision to delete takes the same lock. So it sees the hold, or it was made before the hold.
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

/** Idempotent: the release of a backup that is not held changes nothing. */
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
