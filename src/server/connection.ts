import type { ClassType } from 'type-graphql';
import { Field, Int, ObjectType } from 'type-graphql';
import type { Page } from './page.js';

@ObjectType('PageInfo')
export class PageInfo {
  @Field(() => Boolean)
  readonly hasNextPage!: boolean;

  @Field(() => Boolean)
  readonly hasPreviousPage!: boolean;

  @Field(() => String, { nullable: true })
  readonly startCursor!: string | null;

  @Field(() => String, { nullable: true })
  readonly endCursor!: string | null;
}

/**
 * The Relay types of a list. Call it once for each node type:
 *
 *     export const ServiceConnection = connection('Service', () => ServiceType);
 *
 *     @Query(() => ServiceConnection) @Requires('VIEWER')
 *     services(@Args(() => PageArguments) page: PageArguments): Promise<Page<ServiceType>> { … }
 *
 * A resolver returns a `Page` (see `pageOf`). `totalCount` counts only when the client asks for it.
 */
export function connection<NodeType extends object>(
  name: string,
  node: () => ClassType<NodeType>,
): ClassType<Page<NodeType>> {
  @ObjectType(`${name}Edge`)
  class Edge {
    @Field(() => String)
    readonly cursor!: string;

    @Field(() => node())
    readonly node!: NodeType;
  }

  @ObjectType(`${name}Connection`)
  class Connection {
    @Field(() => [Edge])
    readonly edges!: readonly Edge[];

    readonly countAll!: () => Promise<number>;

    @Field(() => PageInfo)
    readonly pageInfo!: PageInfo;

    @Field(() => [node()])
    nodes(): readonly NodeType[] {
      return this.edges.map((edge) => edge.node);
    }

    @Field(() => Int, { description: 'The length of the whole list. The server counts only when you ask for it.' })
    totalCount(): Promise<number> {
      return this.countAll();
    }
  }

  return Connection;
}
