import type { NodeSource } from '../../server/nodeApi.js';
import {
  BackupJobFieldsResolver,
  backupJobNodes,
  BackupJobResolver,
  type BackupJobDependencies,
} from './backupJobApi.js';
import { BackupInventoryResolver } from './backupInventoryApi.js';
import { BackupStatsResolver, type BackupStatsDependencies } from '../stats/backupStatsApi.js';
import { jobSubscriptions, type JobSubscriptionDependencies } from './backupSubscriptions.js';
import { HoldBackupResolver } from './holdBackupApi.js';
import { LaterBackupResolver } from './laterBackupApi.js';
import { WaitingBackupJobResolver, type WaitingDependencies } from './waitingBackupApi.js';

export type JobDependencies = BackupJobDependencies &
  BackupStatsDependencies &
  JobSubscriptionDependencies &
  WaitingDependencies;

/** Backup jobs: asked for, watched, and reckoned up. */
export function jobResolvers(with_: JobDependencies): readonly object[] {
  return [
    new BackupJobResolver(with_),
    new BackupJobFieldsResolver(with_),
    new BackupInventoryResolver(with_),
    new BackupStatsResolver(with_),
    new HoldBackupResolver(with_),
    new LaterBackupResolver(),
    new WaitingBackupJobResolver(with_),
    jobSubscriptions(with_),
  ];
}

export function jobNodes(with_: Pick<JobDependencies, 'dataSource'>): NodeSource {
  return backupJobNodes(with_);
}
