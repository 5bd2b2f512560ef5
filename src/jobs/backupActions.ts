import { hasRole, type Role } from '../server/viewer.js';
import type { BackupAction } from './backupJobType.js';
import type { BackupJobRow } from './backupJobView.js';

/** The role that each action asks for; the mutations declare the same with `@Requires`. */
const neededRole = { CANCEL: 'OPERATOR', RETRY: 'OPERATOR', DELETE: 'ADMIN', RESTORE: 'OPERATOR' } as const;
type BuiltAction = keyof typeof neededRole & BackupAction;

/** What this role may do with a job that stands like this. */
export function backupActions(
  job: Pick<BackupJobRow, 'status' | 'availability' | 'readers' | 'cancelRequestedBy'>,
  role: Role | undefined,
): BackupAction[] {
  return possible(job).filter((action) => hasRole(role, neededRole[action]));
}

function possible({
  status,
  availability,
  readers,
  cancelRequestedBy,
}: Parameters<typeof backupActions>[0]): BuiltAction[] {
  switch (status) {
    case 'QUEUED':
      return ['CANCEL'];
    case 'RUNNING':
      return cancelRequestedBy === null ? ['CANCEL'] : [];
    case 'FAILED':
    case 'CANCELLED':
      return ['RETRY'];
    case 'SUCCEEDED':
      if (availability !== 'STORED') return [];
      return readers.length === 0 ? ['DELETE', 'RESTORE'] : ['RESTORE'];
    case 'SKIPPED':
      return [];
  }
}
