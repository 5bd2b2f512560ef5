import { Field, ObjectType, Query, Resolver, Root, Subscription } from 'type-graphql';
import { ChangeKindEnum } from '../jobs/jobSubscriptions.js';
import { Requires } from '../server/requires.js';
import { workerChanges, type LiveWorkerSources, type WorkerChange } from './workerChanges.js';
import { workersInSight } from './workersInSight.js';
import { WorkerType } from './workerType.js';

@ObjectType('WorkerChange')
export class WorkerChangeType {
  @Field(() => ChangeKindEnum)
  readonly kind!: WorkerChange['kind'];

  @Field(() => WorkerType, { nullable: true })
  readonly worker!: WorkerType | null;
}

/** Each API gets a class of its own, because `subscribe` of type-graphql cannot access the instance. */
export function workerResolvers(tools: LiveWorkerSources): readonly object[] {
  @Resolver()
  class WorkerResolver {
    @Query(() => [WorkerType], {
      description: 'Ordered by start. Only for the installation-level token, because a worker works for every project.',
    })
    @Requires('INSTALLATION')
    async workers(): Promise<readonly WorkerType[]> {
      return (await workersInSight(tools)).map((sight) => WorkerType.of(sight));
    }

    @Subscription(() => WorkerChangeType, {
      subscribe: () => workerChanges(tools),
      description:
        'Every worker as SNAPSHOT, then READY, then each worker that changes. A worker that is GONE is sent one last time.',
    })
    @Requires('INSTALLATION')
    workerChanges(@Root() { kind, sight }: WorkerChange): WorkerChangeType {
      return { kind, worker: sight === null ? null : WorkerType.of(sight) };
    }
  }
  return [new WorkerResolver()];
}
