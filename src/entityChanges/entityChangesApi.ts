import { Args, Resolver, Root, Subscription } from 'type-graphql';
import { FileEndpointType } from '../endpoints/fileEndpointType.js';
import type { FileEndpointRow } from '../endpoints/fileEndpointView.js';
import type { BackupPlanRow } from '../plans/backupPlanView.js';
import { BackupPlanType } from '../plans/planType.js';
import type { RequestContext } from '../server/requestContext.js';
import { Requires } from '../server/requires.js';
import { ServiceType } from '../services/serviceType.js';
import type { ServiceRow } from '../services/serviceView.js';
import {
  BackupPlanChangeType,
  EntityChangesArguments,
  FileEndpointChangeType,
  ServiceChangesArguments,
  ServiceChangeType,
} from './entityChangeType.js';
import type { EntityChange } from './watchEntities.js';
import { WatchedLists, type EntityChangeDependencies } from './watchedLists.js';

const howToRead =
  'Without after: READY, then live changes. Read the list after READY, so that you miss nothing. With after: each one that changed since then, once and in its current state, then READY, then live changes. A removed one is sent with removedAt.';

/**
 * The subscriptions of the lists of services, file endpoints and plans. Each API gets a class of its own, because
 * `subscribe` of type-graphql cannot access the instance.
 */
export function entityChangeResolvers(tools: EntityChangeDependencies): readonly object[] {
  const lists = new WatchedLists(tools);

  @Resolver()
  class EntityChangesResolver {
    @Subscription(() => ServiceChangeType, {
      subscribe: ({ args, context, info }) =>
        lists.services({ context: context as RequestContext, info }, args as ServiceChangesArguments),
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
        lists.fileEndpoints({ context: context as RequestContext, info }, args as EntityChangesArguments),
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
        lists.plans({ context: context as RequestContext, info }, args as ServiceChangesArguments),
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
