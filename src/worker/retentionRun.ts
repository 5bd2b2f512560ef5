import { In, type EntityManager } from 'typeorm';
import { backupDocumentName } from '../archive/layout.js';
import { StowageError } from '../errors.js';
import { decideDeletion, lockDestination } from '../jobs/backupJobCommands.js';
import { BackupJobTable, type BackupJobRow } from '../jobs/backupJobView.js';
import { destinationKey, retainedBackups, type Destination } from '../jobs/retainedBackups.js';
import { BackupPlanTable, type BackupPlanRow } from '../plans/backupPlanView.js';
import { lockPlan } from '../plans/missedTicks.js';
import { decideRetention, survivors, type RetainedBackup } from '../plans/retention.js';
import type { WorkerTools } from './workerTools.js';

const lookMs = 60_000;

/**
 * Decides which backups of a destination go, after it has looked at the ones that stay in their place in the container:
 * if one of those is not there, nothing is deleted. The deletions themselves are of `createDeletions`. Returns the ids.
 */
export async function applyRetention(
  tools: WorkerTools,
  destination: Destination,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { manager } = tools.dataSource;
  const plan = await manager.findOneBy(BackupPlanTable, { id: destination.planId });
  if (plan === null || !deletes(plan)) return [];
  const found = await backupsOf(manager, destination);
  if (decide(tools, plan, found).length === 0) return [];

  const relied = survivors(found).map(({ id }) => id);
  const missing = await firstMissing(
    tools,
    destination,
    await manager.findBy(BackupJobTable, { id: In(relied) }),
    AbortSignal.any([signal, AbortSignal.timeout(lookMs)]),
  );
  if (missing !== undefined) {
    tools.log.error(
      { ...destination, missing },
      'A backup that retention relies on is not in its container: nothing is deleted',
    );
    return [];
  }

  const metadata = { actor: 'retention', correlationId: crypto.randomUUID() };
  return await tools.store.transact(metadata, async (tx) => {
    await lockDestination(tx, destination.planId, destination.fileEndpointId);
    // Looking took a while: what the plan says now counts, and it does not change until this has ended.
    const current = await lockPlan(tx.manager, destination.planId);
    if (current === null || !deletes(current)) return [];
    const now = await backupsOf(tx.manager, destination);
    // Only what was looked at may be relied on; with a newer survivor the next evaluation looks again.
    if (survivors(now).some(({ id }) => !relied.includes(id))) return [];
    const going = decide(tools, current, now);
    for (const id of going) {
      const job = { id, projectId: current.projectId };
      await decideDeletion(tx, job, { reason: 'RETENTION', by: 'retention', at: tools.now() });
    }
    return going;
  });
}

/** A plan that was removed deletes nothing: what it left stays until it is deleted by hand. */
function deletes({ removedAt, retention }: BackupPlanRow): boolean {
  return removedAt === null && retention.style !== 'ALL';
}

/** Every destination whose plan lives and that has stored backups, for the sweep. */
export async function destinationsOfPlans(manager: EntityManager): Promise<readonly Destination[]> {
  const rows: { plan_id: string; file_endpoint_id: string }[] = await manager.query(
    `SELECT DISTINCT job.plan_id, job.file_endpoint_id
     FROM backup_jobs job JOIN backup_plans plan ON plan.id = job.plan_id
     WHERE job.availability = 'STORED' AND plan.removed_at IS NULL AND plan.retention->>'style' <> 'ALL'`,
  );
  return rows.map((row) => ({ planId: row.plan_id, fileEndpointId: row.file_endpoint_id }));
}

function decide(tools: WorkerTools, plan: BackupPlanRow, backups: readonly RetainedBackup[]): readonly string[] {
  return decideRetention({ policy: plan.retention, backups, now: tools.now(), timeZone: plan.timeZone }).delete;
}

async function backupsOf(manager: EntityManager, destination: Destination): Promise<readonly RetainedBackup[]> {
  return (await retainedBackups(manager, [destination])).get(destinationKey(destination)) ?? [];
}

/** The first object of these backups that the container does not have, by HEAD. */
async function firstMissing(
  tools: WorkerTools,
  { fileEndpointId }: Destination,
  rows: readonly BackupJobRow[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const { storage } = await tools.storageOf(fileEndpointId);
  try {
    for (const { folder, parts, id } of rows) {
      if (folder === null) throw new StowageError('INTERNAL', `Backup ${id} has no folder.`);
      const document = `${folder}${backupDocumentName}`;
      if ((await storage.head(document, { signal })) === undefined) return document;
      for (const part of parts) {
        const info = await storage.head(part.objectName, { signal });
        if (info?.sizeBytes !== part.storedSizeBytes) return part.objectName;
      }
    }
    return undefined;
  } finally {
    await storage.close();
  }
}
