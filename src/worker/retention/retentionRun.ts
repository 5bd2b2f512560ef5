import { In, type EntityManager } from 'typeorm';
import { systemMetadata } from '../../eventSourcing/systemMetadata.js';
import { StowageError } from '../../errors.js';
import { decideDeletion, lockDestination } from '../../backups/backupJobCommands.js';
import { BackupJobTable } from '../../backups/backupJobView.js';
import { firstMissing } from '../../backups/deletion/firstMissing.js';
import { destinationKey, retainedBackups, type Destination } from '../../backups/retention/retainedBackups.js';
import { BackupPlanTable, type BackupPlanRow } from '../../plans/backupPlanView.js';
import { lockPlan } from '../../plans/missedTicks.js';
import { decideRetention, survivors, type RetainedBackup } from '../../plans/retention/retention.js';
import type { WorkerTools } from '../workerTools.js';

const checkMs = 60_000;

export type RetentionTools = Pick<WorkerTools, 'dataSource' | 'store' | 'storageOf' | 'log' | 'now'>;

/**
 * How often the decision is repeated. It conflicts with a restore or a hold that was requested after the backups were
 * read.
 */
const tries = 3;

/**
 * Decides which backups of a destination are deleted. Before that it checks in the container that the backups to keep
 * exist. If one of them does not exist, nothing is deleted. `createDeletions` deletes the bytes later. Returns the ids
 * of the backups to delete.
 */
export async function applyRetention(
  tools: RetentionTools,
  destination: Destination,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { manager } = tools.dataSource;
  const plan = await manager.findOneBy(BackupPlanTable, { id: destination.planId });
  if (plan === null || !deletes(plan)) return [];
  const found = await backupsOf(manager, destination);
  if (decide(tools, plan, found).length === 0) return [];

  const relied = survivors(found).map(({ id }) => id);
  const missing = await missingOf(tools, destination, relied, signal);
  if (missing !== undefined) {
    tools.log.error(
      { ...destination, missing: missing.objectName },
      'A backup that retention relies on is not in its container, so nothing is deleted',
    );
    return [];
  }
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await decideAgain(tools, destination, relied);
    } catch (error) {
      if (attempt === tries || !(error instanceof StowageError) || error.code !== 'CONFLICT') throw error;
    }
  }
}

/**
 * Decides again under the lock: plan and backups may have changed during the check, and the plan cannot change until
 * this transaction ends.
 */
async function decideAgain(
  tools: RetentionTools,
  destination: Destination,
  relied: readonly string[],
): Promise<readonly string[]> {
  const metadata = systemMetadata('worker', 'retention');
  return await tools.store.transact(metadata, async (tx) => {
    await lockDestination(tx, destination.planId, destination.fileEndpointId);
    const plan = await lockPlan(tx.manager, destination.planId);
    if (plan === null || !deletes(plan)) return [];
    const backups = await backupsOf(tx.manager, destination);
    // Only backups that were checked may be relied on. The next evaluation checks a newer one.
    if (survivors(backups).some(({ id }) => !relied.includes(id))) return [];
    const going = decide(tools, plan, backups);
    for (const id of going) {
      const job = { id, projectId: plan.projectId };
      await decideDeletion(tx, job, { reason: 'RETENTION', by: 'retention', at: tools.now() });
    }
    return going;
  });
}

async function missingOf(
  tools: RetentionTools,
  { fileEndpointId }: Destination,
  ids: readonly string[],
  signal: AbortSignal,
): ReturnType<typeof firstMissing> {
  const rows = await tools.dataSource.manager.findBy(BackupJobTable, { id: In(ids) });
  const { storage } = await tools.storageOf(fileEndpointId);
  const limit = AbortSignal.any([signal, AbortSignal.timeout(checkMs)]);
  return await firstMissing(storage, rows, limit).finally(() => storage.close());
}

/** A removed plan deletes nothing: its backups stay until they are deleted by hand. */
function deletes({ removedAt, retention }: BackupPlanRow): boolean {
  return removedAt === null && retention.style !== 'ALL';
}

function decide(tools: RetentionTools, plan: BackupPlanRow, backups: readonly RetainedBackup[]): readonly string[] {
  return decideRetention({ policy: plan.retention, backups, now: tools.now(), timeZone: plan.timeZone }).delete;
}

async function backupsOf(manager: EntityManager, destination: Destination): Promise<readonly RetainedBackup[]> {
  return (await retainedBackups(manager, [destination])).get(destinationKey(destination)) ?? [];
}
