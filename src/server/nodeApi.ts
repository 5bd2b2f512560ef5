import { Arg, Ctx, ID, Query, Resolver } from 'type-graphql';
import { InputProblems, listWithin } from './inputValidation.js';
import { Node } from './node.js';
import type { RequestContext } from './requestContext.js';
import { Requires } from './requires.js';

/** One kind of thing that has an id; every slice offers its own. */
export interface NodeSource {
  /** Null for what is not there, not of this kind, no id at all, or not the viewer's. */
  find(id: string, context: RequestContext): Promise<Node | null>;
}

@Resolver()
export class NodeResolver {
  constructor(private readonly sources: readonly NodeSource[]) {}

  @Query(() => Node, { nullable: true, description: 'Whatever has this id; null where there is nothing to see.' })
  @Requires('VIEWER')
  node(@Arg('id', () => ID) id: string, @Ctx() context: RequestContext): Promise<Node | null> {
    return this.find(id, context);
  }

  @Query(() => [Node], { nullable: 'items', description: 'In the order of the ids, at most 200.' })
  @Requires('VIEWER')
  async nodes(@Arg('ids', () => [ID]) ids: string[], @Ctx() context: RequestContext): Promise<(Node | null)[]> {
    new InputProblems().check('ids', ids, listWithin({ atLeast: 0, atMost: 200 })).throwIfAny();
    return Promise.all(ids.map((id) => this.find(id, context)));
  }

  private async find(id: string, context: RequestContext): Promise<Node | null> {
    const found = await Promise.all(this.sources.map((source) => source.find(id, context)));
    return found.find((node) => node !== null) ?? null;
  }
}
