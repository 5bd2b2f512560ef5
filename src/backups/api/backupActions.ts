import { hasRole, type Role } from '../../server/viewer.js';
import type { BackupAction } from './backupJobType.js';
import type { BackupJobRow } from '../backupJobView.js';

/** The role that each action needs. The mutations declare the same with `@Requires`. */
const neededRole = {
  CANCEL: 'OPERATOR',
  RETRY: 'OPERATOR',
  DELETE: 'ADMIN',
  HOLD: 'OPERATOR',
  RELEASE: 'OPERATOR',
  RESTORE: 'OPERATOR',
} as const;
type BuiltAction = keyof typeof neededRole & BackupAction;

/** The actions that this role may call on a job in this state. */
export function backupActions(
  job: Pick<BackupJobRow, 'status' | 'availability' | 'readers' | 'hold' | 'cancelRequestedBy'>,
  role: Role | undefined,
): BackupAction[] {
  return possible(job).filter((action) => hasRole(role, neededRole[action]));
}

function possible(job: Parameters<typeof backupActions>[0]): readonly BuiltAction[] {
  const { status, cancelRequestedBy } = job;
  switch (status) {
    case 'QUEUED':
      return ['CANCEL'];
    case 'RUNNING':
      return cancelRequestedBy === null ? ['CANCEL'] : [];
    case 'FAILED':
    case 'CANCELLED':
      return ['RETRY'];
    case 'SUCCEEDED':
      return possibleWithBackup(job);
    case 'SKIPPED':
      return [];
  }
}

function possibleWithBackup({
  availability,
  readers,
  hold,
}: Pick<BackupJobRow, 'availability' | 'readers' | 'hold'>): readonly BuiltAction[] {
  if (availability !== 'STORED' && availability !== 'MISSING') return [];
  const isStored = availability === 'STORED';
  return [
    ...(readers.length === 0 && hold === null ? (['DELETE'] as const) : []),
    ...(isStored && hold === null ? (['HOLD'] as const) : []),
    ...(hold === null ? [] : (['RELEASE'] as const)),
    ...(isStored ? (['RESTORE'] as const) : []),
  ];
}
