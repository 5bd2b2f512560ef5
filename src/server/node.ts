import { Field, ID, InterfaceType } from 'type-graphql';

/**
 * A thing with an id of its own: `@ObjectType('Service', { implements: Node }) class ServiceType extends Node { … }`.
 * A resolver that returns a Node or a union must return an instance of its class: the class determines the type.
 */
@InterfaceType('Node', { description: 'A thing with an id of its own.' })
export abstract class Node {
  @Field(() => ID)
  readonly id!: string;
}
