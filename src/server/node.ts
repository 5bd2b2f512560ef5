import { Field, ID, InterfaceType } from 'type-graphql';

/**
 * Whatever has an id of its own. `@ObjectType('Service', { implements: Node }) class ServiceType extends Node { … }`.
 * Where a Node or a union is returned the value must be an instance of its class: that is how its type is told.
 */
@InterfaceType('Node', { description: 'Whatever has an id of its own.' })
export abstract class Node {
  @Field(() => ID)
  readonly id!: string;
}
