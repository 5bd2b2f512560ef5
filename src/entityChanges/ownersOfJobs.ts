import type { EntityManager } from 'typeorm';
import type { BackupJobEvent } from '../backups/backupJob.js';
import type { RecordedEvent } from '../eventSourcing/event.js';

/** Whether an event of a backup job changes the protection or the actions of its service and of its plan. */
const changesOwners: Readonly<Record<BackupJobEvent['type'], boolean>> = {
  BackupQueued: true,
  BackupSkipped: true,
  BackupAttemptStarted: false,
  BackupPhaseEntered: false,
  BackupAttemptEnded: false,
  BackupSucceeded: true,
  BackupFailed: true,
  BackupCancelRequested: false,
  BackupCancelled: true,
  BackupAttemptVoided: false,
  BackupRemainsRemoved: false,
  BackupReserved: false,
  BackupReleased: false,
  BackupHeld: false,
  BackupHoldReleased: false,
  BackupVerified: true,
  BackupAbsent: false,
  BackupMissing: true,
  BackupFound: true,
  BackupDeletionDecided: true,
  BackupDeleted: true,
};

export function changesOwnersOfJob({ type }: Pick<RecordedEvent, 'type'>): boolean {
  return changesOwners[type as BackupJobEvent['type']];
}

/** The service and the plan of a backup job. A job that a person started for a service has no plan. */
export type JobOwners = { readonly serviceId: string; readonly planId: string | null };

/** The batch of a loader: in the order of the ids, null for an id that does not exist. */
export async function ownersOfJobs(
  manager: EntityManager,
  jobIds: readonly string[],
): Promise<readonly (JobOwners | null)[]> {
  const rows = await manager.query<{ id: string; serviceId: string; planId: string | null }[]>(
    'SELECT id, service_id AS "serviceId", plan_id AS "planId" FROM backup_jobs WHERE id = ANY($1::uuid[])',
    [jobIds],
  );
  const byId = new Map(rows.map((row) => [row.id, row]));
  return jobIds.map((id) => byId.get(id) ?? null);
}
