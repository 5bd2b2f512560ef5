import { Arg, ID, Resolver, Root, Subscription } from 'type-graphql';
import type { DataSource } from 'typeorm';
import type { Position, RecordedEvent } from '../eventSourcing/event.js';
import type { EventStore } from '../eventSourcing/eventStore.js';
import type { Feed } from '../eventSourcing/feed.js';
import { beyondTheEnd } from '../jobs/jobChanges.js';
import { watchedProjects } from '../projects/watchedProjects.js';
import { InputProblems, uuid } from '../server/inputValidation.js';
import type { RequestContext } from '../server/requestContext.js';
import { Requires, type OperationCall } from '../server/requires.js';
import { PositionScalar } from '../server/scalars/position.js';
import { eventsSince } from './eventsSince.js';
import { isVisibleEvent, visibleEvents } from './visibleEvents.js';
import { EventType } from './eventType.js';

export type HistorySubscriptionDependencies = {
  readonly dataSource: DataSource;
  readonly store: EventStore;
  readonly feed: Feed;
};

/** Creates a new class for each API, because type-graphql gives `subscribe` no instance with dependencies. */
export function historySubscription(tools: HistorySubscriptionDependencies): object {
  async function follow(call: OperationCall, { projectId, after, streamTypes }: FollowArguments) {
    new InputProblems().check('projectId', projectId, uuid).throwIfAny();
    const projectIds = await watchedProjects(tools.dataSource, call, projectId);
    if (after && after > (await tools.store.head())) throw beyondTheEnd();
    const { viewer } = call.context;
    const { within } = visibleEvents(viewer, projectId);
    return eventsSince(tools, {
      after: after ?? undefined,
      projectIds,
      streamTypes: streamTypes ?? undefined,
      ...(within === undefined ? {} : { within, mayRead: (event) => isVisibleEvent(tools.store, viewer, event) }),
    });
  }

  @Resolver()
  class HistorySubscriptionResolver {
    @Subscription(() => EventType, {
      subscribe: ({ args, context, info }) =>
        follow({ context: context as RequestContext, info }, args as FollowArguments),
      description:
        'The events of the log in order, without gaps and duplicates. Reconnect with the last received position. Without after: only later events. A reader that is too slow ends with SLOW_CONSUMER.',
    })
    @Requires('VIEWER')
    events(
      @Root() event: RecordedEvent,
      @Arg('projectId', () => ID, { nullable: true }) _projectId: string | null | undefined,
      @Arg('after', () => PositionScalar, { nullable: true }) _after: Position | null | undefined,
      @Arg('streamTypes', () => [String], { nullable: true }) _streamTypes: string[] | null | undefined,
    ): EventType {
      return EventType.of(event);
    }
  }
  return new HistorySubscriptionResolver();
}

type FollowArguments = {
  readonly projectId?: string | null;
  readonly after?: Position | null;
  readonly streamTypes?: string[] | null;
};
