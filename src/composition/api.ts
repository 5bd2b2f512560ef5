import type { GraphQLSchema } from 'graphql';
import { fileEndpointNodes, fileEndpointResolvers } from '../endpoints/fileEndpointApi.js';
import { historyNodes, historyResolvers } from '../history/historyApi.js';
import { holdsBackups, newestBackupFolders } from '../backups/location/backupsAtEndpoint.js';
import { usualDurationMs } from '../backups/api/backupJobQueries.js';
import { newestTicks } from '../backups/newestTicks.js';
import { backupsToPreview } from '../backups/retention/backupsToPreview.js';
import { backupResolvers } from '../backups/api/backupApi.js';
import { backupJobNodes } from '../backups/api/backupJobApi.js';
import { JobFieldsResolver } from '../jobs/jobApi.js';
import { servicesProtectedAs } from '../protection/protectionQueries.js';
import { planNodes, planResolvers } from '../plans/planApi.js';
import { entitiesInUse } from '../postgres/entitiesInUse.js';
import { projectNodes, projectResolvers } from '../projects/projectApi.js';
import { protectionResolvers } from '../protection/protectionApi.js';
import { restoreNodes, restoreResolvers } from '../restores/restoreApi.js';
import { restoreUnderWay } from '../restores/restoreUnderWay.js';
import { buildApiSchema } from '../server/apiSchema.js';
import { NodeResolver } from '../server/nodeApi.js';
import { resolverInstances } from '../server/resolverInstances.js';
import { serviceNodes, serviceResolvers } from '../services/serviceApi.js';
import type { ProtectionStatus } from '../services/serviceInput.js';
import type { AllowedTargets } from '../storage/allowedTargets.js';
import { workerResolvers } from '../workerRegistry/workerApi.js';
import type { Shared } from './shared.js';

export type ApiTools = Shared & {
  readonly allowedTargets: AllowedTargets;
  /** The smallest time between two runs of a plan. */
  readonly minIntervalMs: number;
  /** Aborts when the server stops, so that work that waits for the network ends. */
  readonly stopping: AbortSignal;
  /** The beginning of the URLs of dashboards, without a slash at the end. */
  readonly publicUrl: () => string;
};

/** The schema with the resolvers of every slice. */
export function composeApi(tools: ApiTools): GraphQLSchema {
  const slices = {
    ...tools,
    holdsBackups,
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
      ...restoreResolvers(slices),
      ...workerResolvers(slices),
      ...historyResolvers(slices),
      new NodeResolver([
        projectNodes(slices),
        serviceNodes(slices),
        fileEndpointNodes(slices),
        planNodes(slices),
        backupJobNodes(slices),
        restoreNodes(slices),
        historyNodes(slices),
      ]),
    ]),
  );
}
