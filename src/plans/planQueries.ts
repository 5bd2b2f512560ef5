import { In, type EntityManager } from 'typeorm';
import { isUuid } from '../server/inputValidation.js';
import { BackupPlanTable, type BackupPlanRow } from './backupPlanView.js';

/** Removed plans too. Null for what is no id. */
export async function findBackupPlan(manager: EntityManager, id: string): Promise<BackupPlanRow | null> {
  return isUuid(id) ? await manager.findOneBy(BackupPlanTable, { id }) : null;
}

/** In the order of the ids, null for what is not there: the batch of a loader. */
export async function findBackupPlans(
  manager: EntityManager,
  ids: readonly string[],
): Promise<readonly (BackupPlanRow | null)[]> {
  const rows = await manager.findBy(BackupPlanTable, { id: In(ids.filter(isUuid)) });
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => byId.get(id.toLowerCase()) ?? null);
}
