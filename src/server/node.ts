import { Field, ID, InterfaceType } from 'type-graphql';

/**
 * An object with its own id: `@ObjectType('Service', { implements: Node }) class ServiceType extends Node { … }`. A
 * resolver that returns a Node or a union must return an instance of its class: the class determines the type.
 */
@InterfaceType('Node', { description: 'An object with its own id.' })
export abstract class Node {
  @Field(() => ID)
  readonly id!: string;
}
