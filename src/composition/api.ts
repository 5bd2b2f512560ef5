import type { GraphQLSchema } from 'graphql';
import type { Engine, EngineName } from '../engines/engine.js';
import { entitiesInUse } from '../postgres/entitiesInUse.js';
import { projectResolvers } from '../projects/projectApi.js';
import { buildApiSchema } from '../server/apiSchema.js';
import { NodeResolver } from '../server/nodeApi.js';
import { resolverInstances } from '../server/resolverInstances.js';
import { serviceNodes, serviceResolvers } from '../services/serviceApi.js';
import type { AllowedTargets } from '../storage/allowedTargets.js';
import type { Stores } from './stores.js';

export type ApiTools = Stores & {
  readonly engines: ReadonlyMap<EngineName, Engine>;
  readonly allowedTargets: AllowedTargets;
  readonly now: () => Date;
  /** Aborts what waits for the network when the server stops. */
  readonly stopping: AbortSignal;
  /** What the URLs of dashboards begin with, without a slash at the end. */
  readonly publicUrl: () => string;
};

/** The schema with the resolvers of every slice. */
export function composeApi(tools: ApiTools): GraphQLSchema {
  const services = {
    ...tools,
    entitiesInUse: (ids: readonly string[]) => entitiesInUse(tools.dataSource, ids),
  };
  return buildApiSchema(
    resolverInstances([
      ...projectResolvers(tools),
      ...serviceResolvers(services),
      new NodeResolver([serviceNodes(services)]),
    ]),
  );
}
