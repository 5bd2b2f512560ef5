import { Args, Resolver, Root, Subscription } from 'type-graphql';
import type { DataSource } from 'typeorm';
import { EndpointRights, type EndpointsUsedBy } from '../endpoints/endpointRights.js';
import { FileEndpointType } from '../endpoints/fileEndpointType.js';
import type { FileEndpointRow } from '../endpoints/fileEndpointView.js';
import { scopeOfPlan, type BackupPlanRow } from '../plans/backupPlanView.js';
import { BackupPlanType } from '../plans/planType.js';
import { watchedProjects } from '../projects/watchedProjects.js';
import { InputProblems, uuid } from '../server/inputValidation.js';
import { contextOfNextEvent, type RequestContext } from '../server/requestContext.js';
import { authorize, canSee, Requires, type OperationCall } from '../server/requires.js';
import { ServiceType } from '../services/serviceType.js';
import { scopeOfService, type ServiceRow } from '../services/serviceView.js';
import {
  BackupPlanChangeType,
  EntityChangesArguments,
  FileEndpointChangeType,
  ServiceChangesArguments,
  ServiceChangeType,
} from './entityChangeType.js';
import { entityRelations } from './entityRelations.js';
import { watchEntities, type EntityChange, type EntitySources, type WatchedEntities } from './watchEntities.js';

export type EntityChangeDependencies = EntitySources & {
  readonly dataSource: DataSource;
  readonly endpointsUsedBy: EndpointsUsedBy;
};

const howToRead =
  'Without after: READY, then live changes. Read the list after READY, so that you miss nothing. With after: each one that changed since then, once and in its current state, then READY, then live changes. A removed one is sent with removedAt.';

/**
 * The subscriptions of the lists of services, file endpoints and plans. Each API gets a class of its own, because
 * `subscribe` of type-graphql cannot access the instance.
 */
export function entityChangeResolvers(tools: EntityChangeDependencies): readonly object[] {
  const relations = entityRelations(tools);
  const rights = new EndpointRights(tools.endpointsUsedBy);

  async function watch<Row>(
    call: OperationCall,
    list: ServiceChangesArguments,
    watched: Pick<WatchedEntities<Row>, 'changes' | 'load' | 'fits'>,
  ) {
    const { projectId, serviceId, after } = list;
    new InputProblems().check('projectId', projectId, uuid).check('serviceId', serviceId, uuid).throwIfAny();
    if (serviceId) authorize(call, await relations.service.load(serviceId), scopeOfService, 'service');
    const projectIds = await watchedProjects(tools.dataSource, call, projectId);
    return watchEntities<Row>(tools, { ...watched, projectIds, after: after ?? undefined });
  }

  function watchServices(call: OperationCall, list: ServiceChangesArguments) {
    const only = list.serviceId?.toLowerCase();
    return watch<ServiceRow>(call, list, {
      ...relations.service,
      fits: (row) => (only === undefined || row.id === only) && canSee(call.context, row, scopeOfService),
    });
  }

  function watchPlans(call: OperationCall, list: ServiceChangesArguments) {
    const only = list.serviceId?.toLowerCase();
    return watch<BackupPlanRow>(call, list, {
      ...relations.plan,
      fits: (row) => (only === undefined || row.serviceId === only) && canSee(call.context, row, scopeOfPlan),
    });
  }

  function watchEndpoints(call: OperationCall, list: EntityChangesArguments) {
    return watch<FileEndpointRow>(call, list, {
      ...relations.fileEndpoint,
      // A plan may use the endpoint since the last event, so the loaders of the first event do not count.
      fits: async (row) => (await rights.roleOf(row, contextOfNextEvent(call.context))) !== undefined,
    });
  }

  @Resolver()
  class EntityChangesResolver {
    @Subscription(() => ServiceChangeType, {
      subscribe: ({ args, context, info }) =>
        watchServices({ context: context as RequestContext, info }, args as ServiceChangesArguments),
      description: `${howToRead} A service also changes when its protection may have changed.`,
    })
    @Requires('VIEWER')
    serviceChanges(
      @Root() { row, ...change }: EntityChange<ServiceRow>,
      @Args(() => ServiceChangesArguments) _list: ServiceChangesArguments,
    ): ServiceChangeType {
      return { ...change, service: row === null ? null : ServiceType.of(row) };
    }

    @Subscription(() => FileEndpointChangeType, {
      subscribe: ({ args, context, info }) =>
        watchEndpoints({ context: context as RequestContext, info }, args as EntityChangesArguments),
      description: howToRead,
    })
    @Requires('VIEWER')
    fileEndpointChanges(
      @Root() { row, ...change }: EntityChange<FileEndpointRow>,
      @Args(() => EntityChangesArguments) _list: EntityChangesArguments,
    ): FileEndpointChangeType {
      return { ...change, fileEndpoint: row === null ? null : FileEndpointType.of(row) };
    }

    @Subscription(() => BackupPlanChangeType, {
      subscribe: ({ args, context, info }) =>
        watchPlans({ context: context as RequestContext, info }, args as ServiceChangesArguments),
      description: `${howToRead} A plan also changes when its protection may have changed.`,
    })
    @Requires('VIEWER')
    backupPlanChanges(
      @Root() { row, ...change }: EntityChange<BackupPlanRow>,
      @Args(() => ServiceChangesArguments) _list: ServiceChangesArguments,
    ): BackupPlanChangeType {
      return { ...change, backupPlan: row === null ? null : new BackupPlanType(row) };
    }
  }
  return [new EntityChangesResolver()];
}
