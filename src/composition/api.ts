import type { GraphQLSchema } from 'graphql';
import { fileEndpointNodes, fileEndpointResolvers } from '../endpoints/fileEndpointApi.js';
import { holdsBackups } from '../jobs/backupsAtEndpoint.js';
import { planNodes, planResolvers } from '../plans/planApi.js';
import { entitiesInUse } from '../postgres/entitiesInUse.js';
import { projectResolvers } from '../projects/projectApi.js';
import { buildApiSchema } from '../server/apiSchema.js';
import { NodeResolver } from '../server/nodeApi.js';
import { resolverInstances } from '../server/resolverInstances.js';
import { serviceNodes, serviceResolvers } from '../services/serviceApi.js';
import type { AllowedTargets } from '../storage/allowedTargets.js';
import type { Shared } from './shared.js';

export type ApiTools = Shared & {
  readonly allowedTargets: AllowedTargets;
  /** The smallest time between two runs of a plan. */
  readonly minIntervalMs: number;
  /** Aborts what waits for the network when the server stops. */
  readonly stopping: AbortSignal;
  /** What the URLs of dashboards begin with, without a slash at the end. */
  readonly publicUrl: () => string;
};

/** The schema with the resolvers of every slice. */
export function composeApi(tools: ApiTools): GraphQLSchema {
  const slices = {
    ...tools,
    holdsBackups,
    usualDurationMs: () => Promise.resolve(undefined),
    entitiesInUse: (ids: readonly string[]) => entitiesInUse(tools.dataSource, ids),
  };
  return buildApiSchema(
    resolverInstances([
      ...projectResolvers(slices),
      ...serviceResolvers(slices),
      ...fileEndpointResolvers(slices),
      ...planResolvers(slices),
      new NodeResolver([serviceNodes(slices), fileEndpointNodes(slices), planNodes(slices)]),
    ]),
  );
}
