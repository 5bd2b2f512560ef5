import { Arg, Args, Ctx, ID, Query, Resolver } from 'type-graphql';
import type { EventIndex } from '../eventSourcing/eventIndex.js';
import { InputProblems, isUuid, uuid } from '../server/inputValidation.js';
import type { NodeSource } from '../server/nodeApi.js';
import { PageArguments, pageRequest, type Page } from '../server/page.js';
import type { RequestContext } from '../server/requestContext.js';
import { Requires } from '../server/requires.js';
import { PositionScalar } from '../server/scalars/position.js';
import { EventConnection, EventType } from './eventType.js';
import { isVisibleEvent, visibleEvents } from './visibleEvents.js';
import { historySubscription, type HistorySubscriptionDependencies } from './historySubscription.js';

export type HistoryDependencies = HistorySubscriptionDependencies & { readonly eventIndex: EventIndex };

export function historyResolvers(tools: HistoryDependencies): readonly object[] {
  return [new HistoryResolver(tools), historySubscription(tools)];
}

export function historyNodes(tools: Pick<HistoryDependencies, 'eventIndex' | 'store'>): NodeSource {
  return {
    async find(id, context) {
      const event = isUuid(id) ? await tools.eventIndex.find(id) : undefined;
      const isVisible = event !== undefined && (await isVisibleEvent(tools.store, context.viewer, event));
      return isVisible ? EventType.of(event) : null;
    },
  };
}

@Resolver()
export class HistoryResolver {
  constructor(private readonly tools: HistoryDependencies) {}

  @Query(() => EventConnection, { description: 'Oldest first. A cursor is a position.' })
  @Requires('VIEWER')
  async events(
    @Arg('projectId', () => ID, { nullable: true }) projectId: string | null | undefined,
    @Arg('streamId', () => ID, { nullable: true, description: 'Only the events of this object.' })
    streamId: string | null | undefined,
    @Args(() => PageArguments) page: PageArguments,
    @Ctx() context: RequestContext,
  ): Promise<Page<EventType>> {
    new InputProblems().check('projectId', projectId, uuid).check('streamId', streamId, uuid).throwIfAny();
    const after = positionAfter(page.after);
    const { size } = pageRequest({ first: page.first }, 'position');
    const within = {
      ...visibleEvents(context.viewer, projectId),
      ...(streamId ? { streamId: streamId.toLowerCase() } : {}),
    };
    const events = await this.tools.store.read({ ...within, after, limit: size + 1 });
    const edges = events
      .slice(0, size)
      .map((event) => ({ cursor: event.position.toString(), node: EventType.of(event) }));
    return {
      edges,
      pageInfo: {
        hasNextPage: events.length > size,
        hasPreviousPage: page.after !== undefined && page.after !== null,
        startCursor: edges.at(0)?.cursor ?? null,
        endCursor: edges.at(-1)?.cursor ?? null,
      },
      countAll: () => this.tools.eventIndex.count(within),
    };
  }
}

function positionAfter(cursor: string | null | undefined): bigint {
  if (cursor === undefined || cursor === null) return 0n;
  try {
    return PositionScalar.parseValue(cursor);
  } catch {
    const problems = new InputProblems();
    problems.add('after', 'is not a position in the log', 'Send a cursor of this list, or a position.').throwIfAny();
    return 0n;
  }
}
