import { In, type DataSource, type EntityManager } from 'typeorm';
import { openFileEndpoint } from '../../endpoints/openFileEndpoint.js';
import { StowageError } from '../../errors.js';
import type { CommandHandling, CommandRequest } from '../../eventSourcing/commandHandling.js';
import type { Signals } from '../../postgres/contracts/telemetry.js';
import type { Vault } from '../../postgres/contracts/vault.js';
import { survivors } from '../../plans/retention/retention.js';
import { decideDeletion, lockDestination } from '../backupJobCommands.js';
import { BackupJobTable, type BackupJobRow } from '../backupJobView.js';
import type { StorageKinds } from '../../storage/storageKinds.js';
import { firstMissing } from './firstMissing.js';
import { destinationKey, retainedBackups } from '../retention/retainedBackups.js';

export type DeleteTools = {
  readonly commands: CommandHandling;
  readonly signals: Signals;
  readonly now: () => Date;
  readonly dataSource: DataSource;
  readonly vault: Vault;
  readonly storages: StorageKinds;
  /** Aborts requests to the storage when the server stops. */
  readonly stopping: AbortSignal;
  /** How long the container may take to show the remaining backups. Default: 20 seconds. */
  readonly checkMs?: number;
};

/**
 * Decides for a person that a backup is deleted. A worker then deletes its bytes. Without `force` it throws CONFLICT if
 * this is the last good backup of its destination or if a backup that replaces it is not in the container. It throws
 * the storage's own error if the container cannot be checked. With or without `force` it throws CONFLICT if nothing is
 * stored, while a restore reads the backup, or while somebody holds it. A MISSING backup is deleted without these
 * checks, because nothing relies on it.
 */
export async function deleteByHand(
  tools: DeleteTools,
  request: CommandRequest,
  row: BackupJobRow,
  deletion: { readonly force: boolean; readonly by: string; readonly expectedVersion: number | undefined },
): Promise<void> {
  const { id, projectId, fileEndpointId } = row;
  await tools.commands.handle<{ id: string }>(request, async (commit) => {
    const { manager } = tools.dataSource;
    const seen = deletion.force || !mayGo(row) ? [] : await reliedOn(manager, row);
    if (seen.length > 0) await mustBeThere(tools, fileEndpointId, seen);
    return commit(async (tx) => {
      await lockDestination(tx, row.planId ?? row.serviceId, fileEndpointId);
      const now = await tx.manager.findOneByOrFail(BackupJobTable, { id });
      if (!deletion.force && mayGo(now)) {
        const relied = await reliedOn(tx.manager, now);
        if (relied.length === 0) throw lastGoodOne();
        // A backup that was stored after the check may replace it too, if the checked backups are still stored.
        const stored = await tx.manager.countBy(BackupJobTable, { id: In(seen), availability: 'STORED' });
        if (seen.length === 0 || stored < seen.length) throw changedMeanwhile();
      }
      const decision = { reason: 'BY_HAND', by: deletion.by, at: tools.now() } as const;
      await decideDeletion(tx, { id, projectId }, decision, deletion.expectedVersion);
      return { id };
    });
  });
  await tools.signals.send('work');
}

/**
 * Whether the replacing backups must be checked. It is not needed for a backup that is refused in any case or needs no
 * replacement.
 */
function mayGo({ availability, hold, readers }: BackupJobRow): boolean {
  return availability === 'STORED' && hold === null && readers.length === 0;
}

/**
 * The ids of the backups that the destination relies on after the deletion of this one. Empty: this is the last good
 * one. Manual backups never replace scheduled ones. Without a plan any other backup of the service at that endpoint
 * replaces it.
 */
async function reliedOn(manager: EntityManager, row: BackupJobRow): Promise<readonly string[]> {
  const { id, planId, fileEndpointId } = row;
  if (planId === null) return newestOther(manager, row);
  const destination = { planId, fileEndpointId };
  const backups = (await retainedBackups(manager, [destination])).get(destinationKey(destination)) ?? [];
  const rest = survivors(backups.filter((backup) => backup.id !== id)).map((backup) => backup.id);
  const counts = backups.some((backup) => backup.id === id && backup.counted);
  return rest.length > 0 || counts ? rest : newestOther(manager, row);
}

async function newestOther(manager: EntityManager, row: BackupJobRow): Promise<readonly string[]> {
  const { id, serviceId, planId, fileEndpointId } = row;
  const others = manager
    .createQueryBuilder(BackupJobTable, 'row')
    .select(['row.id'])
    .where('row.file_endpoint_id = :fileEndpointId AND row.id <> :id', { fileEndpointId, id })
    .andWhere("row.availability = 'STORED' AND row.absent_since IS NULL")
    .andWhere(planId === null ? 'row.service_id = :serviceId' : 'row.plan_id = :planId', { serviceId, planId })
    .orderBy('row.started_at', 'DESC')
    .addOrderBy('row.id', 'DESC')
    .limit(1);
  return (await others.getMany()).map((other) => other.id);
}

async function mustBeThere(tools: DeleteTools, fileEndpointId: string, ids: readonly string[]): Promise<void> {
  const rows = await tools.dataSource.manager.findBy(BackupJobTable, { id: In(ids) });
  const { checkMs = 20_000 } = tools;
  const signal = AbortSignal.any([tools.stopping, AbortSignal.timeout(checkMs)]);
  let missing: Awaited<ReturnType<typeof firstMissing>>;
  try {
    const { storage } = await openFileEndpoint(tools, fileEndpointId);
    missing = await firstMissing(storage, rows, signal).finally(() => storage.close());
  } catch (error) {
    throw unchecked(error, checkMs);
  }
  if (missing === undefined) return;
  const { backupId, objectName } = missing;
  throw new StowageError(
    'CONFLICT',
    `Nothing was deleted: backup ${backupId} would replace it, and its object ${objectName} is missing or changed in the container.`,
    {
      details: { needs: 'force', backupId, objectName },
      help: 'Take another backup first, or send force: true to delete this one anyway.',
    },
  );
}

function unchecked(error: unknown, checkMs: number): StowageError {
  const known = error instanceof StowageError ? error : undefined;
  const why = known?.message ?? `The container did not answer within ${checkMs / 1000} seconds.`;
  return new StowageError(
    known?.code ?? 'ENDPOINT_UNREACHABLE',
    `Nothing was deleted: it is unknown whether the backup that would replace it is in the container. ${why}`,
    {
      details: { needs: 'force' },
      help: 'Try again when the container answers, or send force: true to delete it without this check.',
      cause: error,
    },
  );
}

function lastGoodOne(): StowageError {
  return new StowageError('CONFLICT', 'This is the last good backup of its destination.', {
    details: { needs: 'force' },
    help: 'Take another backup first, or send force: true to delete it anyway.',
  });
}

function changedMeanwhile(): StowageError {
  return new StowageError('CONFLICT', 'The backups of this destination changed while the container was checked.', {
    help: 'Read them again and repeat the deletion.',
  });
}
