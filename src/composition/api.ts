import type { GraphQLSchema } from 'graphql';
import { entityChangeResolvers } from '../entityChanges/entityChangesApi.js';
import type { FileEndpointRow } from '../endpoints/fileEndpointView.js';
import type { RequestContext } from '../server/requestContext.js';
import { fileEndpointNodes, fileEndpointResolvers } from '../endpoints/fileEndpointApi.js';
import { historyNodes, historyResolvers } from '../history/historyApi.js';
import { holdsBackups, newestBackupFolders } from '../backups/location/backupsAtEndpoint.js';
import { endpointsUsedBy } from '../backups/location/endpointsUsedBy.js';
import { usualDurationMs } from '../backups/api/backupJobQueries.js';
import { newestTicks } from '../backups/newestTicks.js';
import { backupsToPreview } from '../backups/retention/backupsToPreview.js';
import { backupResolvers } from '../backups/api/backupApi.js';
import { BackupJobType } from '../backups/api/backupJobType.js';
import { backupJobLookup } from '../backups/backupJobView.js';
import { JobFieldsResolver } from '../jobs/jobApi.js';
import { servicesProtectedAs } from '../protection/protectionQueries.js';
import { planLookup } from '../plans/backupPlanView.js';
import { planResolvers } from '../plans/planApi.js';
import { BackupPlanType } from '../plans/planType.js';
import { entitiesInUse } from '../postgres/entitiesInUse.js';
import { AccessTokenType } from '../projects/access/accessTokenType.js';
import { accessTokenLookup } from '../projects/access/accessTokenView.js';
import { projectNodes, projectResolvers } from '../projects/projectApi.js';
import { protectionResolvers } from '../protection/protectionApi.js';
import { restoreResolvers } from '../restores/restoreApi.js';
import { RestoreJobType } from '../restores/restoreJobType.js';
import { restoreJobLookup } from '../restores/restoreJobView.js';
import { restoreUnderWay } from '../restores/restoreUnderWay.js';
import { buildApiSchema } from '../server/apiSchema.js';
import { NodeResolver } from '../server/nodeApi.js';
import { nodesOf } from '../server/nodesOf.js';
import { resolverInstances } from '../server/resolverInstances.js';
import { serviceResolvers } from '../services/serviceApi.js';
import { projectOfService } from '../services/serviceQueries.js';
import type { ProtectionStatus } from '../services/serviceInput.js';
import { ServiceType } from '../services/serviceType.js';
import { serviceLookup } from '../services/serviceView.js';
import { callerOf } from '../signIn/audit/auditReportsOf.js';
import type { AuditTrail } from '../signIn/audit/auditTrail.js';
import { createOneTimeLinks } from '../signIn/oneTimeLinks.js';
import { signInResolvers } from '../signIn/signInApi.js';
import { workerResolvers } from '../workerRegistry/workerApi.js';
import type { Shared } from './shared.js';

export type ApiTools = Shared & {
  /** The smallest time between two runs of a plan. */
  readonly minIntervalMs: number;
  /** No attempt of a backup may take longer. Absent or null: no maximum. */
  readonly maxTimeoutMs?: number | null;
  /** Aborts when the server stops. It ends work that waits for the network. */
  readonly stopping: AbortSignal;
  /** The beginning of the URLs of dashboards, without a slash at the end. */
  readonly publicUrl: () => string;
  readonly audit: AuditTrail;
};

/** The schema with the resolvers of every slice. */
export function composeApi(tools: ApiTools): GraphQLSchema {
  const slices = {
    ...tools,
    holdsBackups,
    onSettingsRead: (context: RequestContext, { id: target, projectId }: FileEndpointRow) => {
      void tools.audit.record({ what: 'SETTINGS_READ', ...callerOf(context), projectId, target });
    },
    projectOfService: (id: string) => projectOfService(tools.dataSource.manager, id),
    endpointsUsedBy: (serviceIds: readonly string[]) => endpointsUsedBy(tools.dataSource.manager, serviceIds),
    newestBackupFolders,
    newestTicks,
    restoreUnderWay,
    usualDurationMs: (planId: string) => usualDurationMs(tools.dataSource.manager, planId),
    backupsOfPlan: (planId: string, now: Date) => backupsToPreview(tools.dataSource.manager, planId, now),
    servicesProtectedAs: (projectIds: 'ALL' | readonly string[], statuses: readonly ProtectionStatus[]) =>
      servicesProtectedAs(tools.dataSource.manager, tools.now(), projectIds, statuses),
    entitiesInUse: (ids: readonly string[]) => entitiesInUse(tools.dataSource, ids),
  };
  return buildApiSchema(
    resolverInstances([
      ...projectResolvers(slices),
      ...serviceResolvers(slices),
      ...fileEndpointResolvers(slices),
      ...planResolvers(slices),
      new JobFieldsResolver(slices),
      ...backupResolvers(slices),
      ...protectionResolvers(slices),
      ...entityChangeResolvers(slices),
      ...restoreResolvers(slices),
      ...workerResolvers(slices),
      ...historyResolvers(slices),
      ...signInResolvers({ ...tools, links: createOneTimeLinks(tools.dataSource) }),
      new NodeResolver([
        projectNodes(slices),
        nodesOf(tools, accessTokenLookup, (row) => AccessTokenType.of(row)),
        nodesOf(tools, serviceLookup, (row) => ServiceType.of(row)),
        fileEndpointNodes(slices),
        nodesOf(tools, planLookup, (row) => new BackupPlanType(row)),
        nodesOf(tools, backupJobLookup, (row) => new BackupJobType(row)),
        nodesOf(tools, restoreJobLookup, (row) => new RestoreJobType(row)),
        historyNodes(slices),
      ]),
    ]),
  );
}
