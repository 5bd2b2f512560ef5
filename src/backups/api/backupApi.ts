import type { JobSubscriptionDependencies } from '../../jobs/jobSubscriptions.js';
import { BackupStatsResolver } from '../stats/backupStatsApi.js';
import { BackupChangesFieldsResolver, BackupJobFieldsResolver, BackupJobResolver } from './backupJobApi.js';
import { BackupMutationResolver, type BackupMutationDependencies } from './backupMutations.js';
import { backupSubscriptions } from './backupSubscriptions.js';
import { PlanTimeoutResolver, type PlanTimeoutDependencies } from './planTimeoutApi.js';

export type BackupDependencies = BackupMutationDependencies & JobSubscriptionDependencies & PlanTimeoutDependencies;

/** The API of backup jobs. */
export function backupResolvers(tools: BackupDependencies): readonly object[] {
  return [
    new BackupJobResolver(tools),
    new BackupJobFieldsResolver(tools),
    new BackupChangesFieldsResolver(tools),
    new BackupMutationResolver(tools),
    new BackupStatsResolver(tools),
    new PlanTimeoutResolver(tools),
    backupSubscriptions(tools),
  ];
}
