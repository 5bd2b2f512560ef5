import { In, type EntityManager } from 'typeorm';
import { backupDocumentName } from '../archive/layout.js';
import { StowageError } from '../errors.js';
import { decideDeletion, lockDestination } from '../jobs/backupJobCommands.js';
import { BackupJobTable, type BackupJobRow } from '../jobs/backupJobView.js';
import { BackupPlanTable, type BackupPlanRow } from '../plans/backupPlanView.js';
import { decideRetention, isCounted, survivors, type RetainedBackup, type Trigger } from '../plans/retention.js';
import type { WorkerTools } from './workerTools.js';

const lookMs = 60_000;

export type Destination = { readonly planId: string; readonly fileEndpointId: string };

/**
 * Decides which backups of a destination go, after it has looked at the ones that stay in their place in the container:
 * if one of those is not there, nothing is deleted. The deletions themselves are `deleteDecidedBackups`. Returns the ids.
 */
export async function applyRetention(
  tools: WorkerTools,
  destination: Destination,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { manager } = tools.dataSource;
  const plan = await manager.findOneBy(BackupPlanTable, { id: destination.planId });
  // A plan that was removed deletes nothing: what it left stays until it is deleted by hand.
  if (plan === null || plan.removedAt !== null || plan.retention.style === 'ALL') return [];
  const found = await backupsOf(manager, destination);
  if (decide(tools, plan, found).length === 0) return [];

  const relied = survivors(found.map(({ retained }) => retained)).map(({ id }) => id);
  const missing = await firstMissing(
    tools,
    destination,
    found.filter(({ row }) => relied.includes(row.id)).map(({ row }) => row),
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
    const now = await backupsOf(tx.manager, destination);
    // Only what was looked at may be relied on; with a newer survivor the next evaluation looks again.
    if (survivors(now.map(({ retained }) => retained)).some(({ id }) => !relied.includes(id))) return [];
    const going = decide(tools, plan, now);
    for (const { row } of now.filter(({ row }) => going.includes(row.id))) {
      const job = { id: row.id, projectId: row.projectId };
      await decideDeletion(tx, job, { reason: 'RETENTION', by: 'retention', at: tools.now() });
    }
    return going;
  });
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

type Found = { readonly row: BackupJobRow; readonly retained: RetainedBackup };

function decide(tools: WorkerTools, plan: BackupPlanRow, found: readonly Found[]): readonly string[] {
  return decideRetention({
    policy: plan.retention,
    backups: found.map(({ retained }) => retained),
    now: tools.now(),
    timeZone: plan.timeZone,
  }).delete;
}

async function backupsOf(manager: EntityManager, { planId, fileEndpointId }: Destination): Promise<readonly Found[]> {
  const rows = await manager.find(BackupJobTable, {
    where: { planId, fileEndpointId, status: 'SUCCEEDED', availability: 'STORED' },
  });
  const firstTriggers = await firstTriggersOf(manager, rows);
  return rows.map((row) => ({
    row,
    retained: {
      id: row.id,
      startedAt: row.startedAt ?? row.queuedAt,
      trigger: row.trigger,
      counted: isCounted(row.trigger, firstTriggers.get(row.id) ?? null),
      verified: false,
      protectedBy: row.readers.length > 0 ? ['READER'] : [],
    },
  }));
}

/** For each RETRY the trigger of the job at the beginning of its chain. */
async function firstTriggersOf(
  manager: EntityManager,
  rows: readonly BackupJobRow[],
): Promise<ReadonlyMap<string, Exclude<Trigger, 'RETRY'>>> {
  const first = new Map<string, Exclude<Trigger, 'RETRY'>>();
  let open = rows.flatMap((row) =>
    row.trigger === 'RETRY' && row.retryOf !== null ? [[row.id, row.retryOf] as const] : [],
  );
  while (open.length > 0) {
    const sources = await manager.findBy(BackupJobTable, { id: In([...new Set(open.map(([, source]) => source))]) });
    const byId = new Map(sources.map((source) => [source.id, source]));
    open = open.flatMap(([id, sourceId]) => {
      const source = byId.get(sourceId);
      if (source === undefined) return [];
      if (source.trigger !== 'RETRY') {
        first.set(id, source.trigger);
        return [];
      }
      return source.retryOf === null ? [] : [[id, source.retryOf] as const];
    });
  }
  return first;
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
