import { Arg, Ctx, ID, Query, Resolver } from 'type-graphql';
import { InputProblems, listWithin } from './inputValidation.js';
import { Node } from './node.js';
import type { RequestContext } from './requestContext.js';
import { Requires } from './requires.js';

/** Finds objects of one kind by id. Every slice has its own finder. */
export interface NodeSource {
  /** Null if the object does not exist, has another kind or is not visible to the viewer, or if the id is malformed. */
  find(id: string, context: RequestContext): Promise<Node | null>;
}

@Resolver()
export class NodeResolver {
  constructor(private readonly sources: readonly NodeSource[]) {}

  @Query(() => Node, {
    nullable: true,
    description: 'The object with this id, of any type. Null if it does not exist or is not visible to you.',
  })
  @Requires('VIEWER')
  node(@Arg('id', () => ID) id: string, @Ctx() context: RequestContext): Promise<Node | null> {
    return this.find(id, context);
  }

  @Query(() => [Node], {
    nullable: 'items',
    description: 'The objects with these ids, in the same order. At most 200.',
  })
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
