import type { EntityManager } from 'typeorm';
import { StowageError } from '../errors.js';
import type { CommandRequest } from '../eventSourcing/commandHandling.js';
import { decideDeletion, lockDestination } from './backupJobCommands.js';
import { BackupJobTable, type BackupJobRow } from './backupJobView.js';
import { destinationKey, retainedBackups } from './retainedBackups.js';
import type { BackupTools } from './startBackup.js';

/**
 * Decides by hand that a backup goes; a worker then deletes its bytes. The last good backup of a destination goes only
 * with `force`; else, and where a restore is reading it or it is not stored, CONFLICT.
 */
export async function deleteBackup(
  tools: BackupTools,
  request: CommandRequest,
  row: BackupJobRow,
  deletion: { readonly force: boolean; readonly by: string; readonly expectedVersion: number | undefined },
): Promise<void> {
  const { id, projectId, fileEndpointId } = row;
  await tools.commands.handle<{ id: string }>(request, (commit) =>
    commit(async (tx) => {
      await lockDestination(tx, row.planId ?? row.serviceId, fileEndpointId);
      const { availability } = await tx.manager.findOneByOrFail(BackupJobTable, { id });
      if (availability === 'STORED' && !deletion.force && (await isLastGoodOne(tx.manager, row))) throw lastGoodOne();
      const decision = { reason: 'BY_HAND', by: deletion.by, at: tools.now() } as const;
      await decideDeletion(tx, { id, projectId }, decision, deletion.expectedVersion);
      return { id };
    }),
  );
  await tools.signals.send('work');
}

/** Backups by hand never stand in for those of the schedule. */
async function isLastGoodOne(manager: EntityManager, row: BackupJobRow): Promise<boolean> {
  const { id, serviceId, planId, fileEndpointId } = row;
  if (planId === null) {
    const others = await manager
      .createQueryBuilder(BackupJobTable, 'row')
      .where('row.service_id = :serviceId AND row.file_endpoint_id = :fileEndpointId', { serviceId, fileEndpointId })
      .andWhere("row.availability = 'STORED' AND row.id <> :id", { id })
      .getExists();
    return !others;
  }
  const destination = { planId, fileEndpointId };
  const backups = (await retainedBackups(manager, [destination])).get(destinationKey(destination)) ?? [];
  const others = backups.filter((backup) => backup.id !== id);
  const isCounted = backups.some((backup) => backup.id === id && backup.counted);
  return isCounted ? !others.some((backup) => backup.counted) : others.length === 0;
}

function lastGoodOne(): StowageError {
  return new StowageError('CONFLICT', 'This is the last good backup of its destination.', {
    details: { needs: 'force' },
    help: 'Take another backup first, or send force: true to delete it all the same.',
  });
}
