import type { GraphQLField, GraphQLObjectType } from 'graphql';
import { getNamedType, isEnumType, isListType, isNonNullType } from 'graphql';

/** What a field costs each time it is resolved, before anything is known about its value. */
export type FieldWeight = {
  /** In microseconds of a processor. What a computation costs beyond this is paid while it runs. */
  readonly work: number;
  /** The usual bytes of the value. They are paid before it is read; a larger value pays the difference. */
  readonly bytes: number;
};

/** The weight of every field that is not listed: it reads a property of its object. */
export const plainField: FieldWeight = { work: 1, bytes: 0 };

/**
 * The weights of all fields that compute, that read from the database, or whose values have no fixed size. A test fails if
 * such a field is not listed.
 */
const groups: readonly (readonly [FieldWeight, readonly string[]])[] = [
  // Lists that a row holds, and what is computed from a row.
  [
    { work: 5, bytes: 50 },
    [
      'Check.steps',
      'ContainerAudit.prefixesNotSeen',
      'ContainerAudit.unknownSample',
      'Encryption.recipients',
      'BackupJob.attempts',
      'BackupJob.message',
      'BackupPlan.driftThreshold',
      'DriftThreshold.exceptTables',
      'BackupJob.parts',
      'BackupJob.progress',
      'BackupJob.viewerActions',
      'BackupJob.warnings',
      'BackupPart.databases',
      'BackupPart.steps',
      'BackupPlan.viewerActions',
      'BackupStats.buckets',
      'BackupStats.statuses',
      'BackupStatsBucket.statuses',
      'FileEndpoint.location',
      'FileEndpoint.settings',
      'FileEndpoint.viewerActions',
      'Project.viewerActions',
      'Project.viewerRole',
      'RestoreJob.attempts',
      'RestoreJob.databases',
      'RestoreJob.differences',
      'RestoreJob.message',
      'RestoreJob.progress',
      'RestoreJob.warnings',
      'SchedulePreview.notes',
      'SchedulePreview.runs',
      'Service.dashboardUrl',
      'Service.databases',
      'Service.viewerActions',
      'StartBackupPayload.jobs',
      'Worker.engines',
      'Worker.jobs',
    ],
  ],
  // One row, which a loader reads together with others.
  [
    { work: 20, bytes: 0 },
    [
      'BackupChanges.since',
      'BackupJob.accounts',
      'BackupJob.fileEndpoint',
      'BackupJob.inventorySummary',
      'BackupJob.plan',
      'BackupJob.project',
      'BackupJob.retryOf',
      'BackupJob.service',
      'BackupJob.skippedFor',
      'BackupPlan.project',
      'BackupPlan.service',
      'AccessToken.lastUsedAt',
      'AccessToken.project',
      'AccessToken.service',
      'FileEndpoint.auditProblem',
      'FileEndpoint.backups',
      'FileEndpoint.lastAudit',
      'FileEndpoint.project',
      'FileEndpoint.service',
      'Membership.service',
      'FileEndpoint.storedSize',
      'PlanDestination.kept',
      'PlanDestination.lastSuccess',
      'PlanDestination.latest',
      'PlanDestination.storedSize',
      'RestoreJob.backup',
      'RestoreJob.project',
      'RestoreJob.safetyBackup',
      'RestoreJob.target',
      'RestoreJob.undoes',
      'RestoreJob.undoneBy',
      'Service.lastSuccessfulBackup',
      'Service.project',
    ],
  ],
  // Several rows, or a computation over them.
  [
    { work: 50, bytes: 0 },
    [
      'BackupJob.expectedDeletionAt',
      'BackupPlan.destinations',
      'BackupPlan.effectiveTimeout',
      'BackupPlan.fileEndpoints',
      'BackupPlan.protection',
      'Project.protection',
      'Service.protection',
      'Viewer.memberships',
    ],
  ],
  // Up to 100 changes of a row.
  [{ work: 50, bytes: 500 }, ['BackupChanges.items', 'BackupJob.changes']],
  // Up to 1,000 names.
  [{ work: 20, bytes: 500 }, ['BackupAccounts.roles', 'BackupAccounts.users']],
  // The calendar of a frequency.
  [{ work: 100, bytes: 25 }, ['BackupPlan.catchUpWindow', 'BackupPlan.nextRunAt', 'BackupPlan.nextRuns']],
  // A page of a list.
  [
    { work: 500, bytes: 100 },
    [
      'BackupJob.restores',
      'BackupPlan.jobs',
      'Project.accessTokens',
      'Project.members',
      'Service.jobs',
      'Service.plans',
      'Query.backupJobs',
      'Query.backupPlans',
      'Query.events',
      'Query.fileEndpoints',
      'Query.projects',
      'Query.restoreJobs',
      'Query.services',
      'Query.workers',
      'Query.auditEvents',
    ],
  ],
  // A page that PostgreSQL cuts out of a value of up to 256 MB.
  [{ work: 50_000, bytes: 100 }, ['BackupJob.inventoryObjects']],
  // One thing, read by a statement of its own.
  [
    { work: 200, bytes: 50 },
    [
      'Query.backupJob',
      'Query.backupPlan',
      'Query.fileEndpoint',
      'Query.me',
      'Query.node',
      'Query.project',
      'Query.restoreJob',
      'Query.service',
    ],
  ],
  [{ work: 1_000, bytes: 1_000 }, ['Query.nodes']],
  // 30 years of a calendar, and a year of retention: the runs are paid while they are computed.
  [{ work: 5_000, bytes: 500 }, ['Query.schedulePreview', 'Query.retentionPreview', 'Query.backupStats']],
  // JSON. The loader of inventories pays for their actual size before it reads them.
  [{ work: 10, bytes: 200 }, ['Event.data']],
  [{ work: 100, bytes: 1_000 }, ['BackupJob.inventory']],
];

export const fieldWeights: ReadonlyMap<string, FieldWeight> = new Map(
  groups.flatMap(([weight, fields]) => fields.map((field) => [field, weight] as const)),
);

/** Whether the size of the field's value has no bound in the schema: a list outside of a connection, or JSON. */
export function hasOpenSize(type: GraphQLObjectType, field: GraphQLField<unknown, unknown>): boolean {
  const named = getNamedType(field.type);
  if (named.name === 'JSON') return true;
  const isList = isListType(isNonNullType(field.type) ? field.type.ofType : field.type);
  return isList && !isEnumType(named) && !type.name.endsWith('Connection');
}
