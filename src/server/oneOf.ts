import type { GraphQLSchema } from 'graphql';
import { isInputObjectType } from 'graphql';
import { Extensions } from 'type-graphql';

/**
 * Marks an input of which exactly one field must be set, and that one not to null. All its fields are nullable.
 *
 *     @InputType() @OneOf()
 *     class StartBackupInput {
 *       @Field(() => ID, { nullable: true }) planId?: string;
 *       @Field(() => ServiceBackupInput, { nullable: true }) service?: ServiceBackupInput;
 *     }
 */
export function OneOf(): ClassDecorator {
  return Extensions({ oneOf: true });
}

/** type-graphql knows no @oneOf: the mark is carried over to the built schema, before its SDL is printed. */
export function applyOneOf(schema: GraphQLSchema): void {
  for (const type of Object.values(schema.getTypeMap())) {
    if (isInputObjectType(type) && type.extensions['oneOf'] === true) type.isOneOf = true;
  }
}
