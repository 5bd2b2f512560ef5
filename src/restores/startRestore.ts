import { randomUUID } from 'node:crypto';
import { badInput, notFound, notYetAvailable } from '../errors.js';
import type { CommandHandling, CommandRequest } from '../eventSourcing/commandHandling.js';
import type { Transaction } from '../eventSourcing/eventStore.js';
import { backupJob } from '../backups/backupJob.js';
import type { BackupJobRow } from '../backups/backupJobView.js';
import type { JobQueue } from '../postgres/contracts/jobQueue.js';
import type { Signals } from '../postgres/contracts/telemetry.js';
import { ServiceTable } from '../services/serviceView.js';
import type { StartRestoreInput } from './restoreInput.js';
import { queueRestore } from './restoreJobCommands.js';

export type RestoreTools = {
  readonly commands: CommandHandling;
  readonly queue: JobQueue;
  readonly signals: Signals;
  readonly now: () => Date;
};

const withoutPlan = { maxAttempts: 3, stallTimeoutMs: 600_000 };

/**
 * Queues a restore of a stored backup into another service of its project and engine, under the same names. The backup
 * is not deleted before the restore has ended. Returns the id of the restore.
 */
export async function startRestore(
  tools: RestoreTools,
  request: CommandRequest,
  restore: {
    readonly backup: Pick<BackupJobRow, 'id' | 'projectId'>;
    readonly targetServiceId: string;
    readonly requestedBy: string;
  },
): Promise<string> {
  const { backup, targetServiceId, requestedBy } = restore;
  const { id } = await tools.commands.handle<{ id: string }>(request, (commit) =>
    commit(async (tx) => {
      const id = randomUUID();
      const engine = await engineOfBackup(tx, backup.id);
      await refuseUnfitTarget(tx, backup.projectId, targetServiceId, engine);
      await queueRestore(
        tx,
        tools.queue,
        { id, projectId: backup.projectId },
        {
          backupJobId: backup.id,
          targetServiceId,
          engine,
          mode: 'AS_NEW',
          requestedBy,
          queuedAt: tools.now().toISOString(),
          ...withoutPlan,
        },
      );
      return { id };
    }),
  );
  return id;
}

/** Returns the id of the service to restore into. Throws NOT_YET_AVAILABLE for options that are not built yet. */
export function restoreTarget({ target, decryptionKey }: StartRestoreInput, sourceServiceId: string): string {
  const instead = 'Restore AS_NEW into another service of the same engine, under the same names.';
  if (decryptionKey !== undefined && decryptionKey !== null) {
    throw notYetAvailable('Encrypted backups are not built yet, so no decryptionKey is needed. Omit it.');
  }
  if (target.asNew === undefined) throw notYetAvailable(`Restoring in place is not built yet. ${instead}`);
  const { serviceId, databases } = target.asNew;
  if (databases !== undefined && databases !== null) {
    throw notYetAvailable(`Restoring under other names is not built yet. ${instead}`);
  }
  if (!serviceId || serviceId.toLowerCase() === sourceServiceId) {
    throw notYetAvailable(
      `Restoring into the service that the backup came from needs other names, which is not built yet. ${instead}`,
    );
  }
  return serviceId.toLowerCase();
}

async function engineOfBackup(tx: Transaction, backupJobId: string): Promise<string> {
  const { state } = await tx.load(backupJob, backupJobId);
  if (state.status === 'NONE') throw notFound('backup job');
  return state.request.engine;
}

/**
 * The message is the same for a service of another project, a removed service and an unknown service, so that it
 * reveals nothing.
 */
async function refuseUnfitTarget(tx: Transaction, projectId: string, serviceId: string, engine: string): Promise<void> {
  const path = 'input.target.asNew.serviceId';
  const row = await tx.manager.findOneBy(ServiceTable, { id: serviceId, projectId });
  if (row === null || row.removedAt !== null) {
    throw badInput([
      {
        path,
        problem: 'names no service of this project',
        hint: 'Send the id of a service of the backup’s project; services lists them.',
      },
    ]);
  }
  if (row.engine !== engine) {
    throw badInput([
      {
        path,
        problem: `is a service with the engine ${row.engine}, and the backup has the engine ${engine}`,
        hint: `Choose a service with the engine ${engine}.`,
      },
    ]);
  }
}
