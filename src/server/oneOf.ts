import type { GraphQLSchema } from 'graphql';
import { isInputObjectType } from 'graphql';
import { Extensions } from 'type-graphql';

/**
 * Marks an input in which exactly one field must be set, to a value other than null. All its fields are nullable.
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

/** Sets `isOneOf` on the built schema, because type-graphql does not support @oneOf. Call it before the SDL is printed. */
export function applyOneOf(schema: GraphQLSchema): void {
  for (const type of Object.values(schema.getTypeMap())) {
    if (isInputObjectType(type) && type.extensions['oneOf'] === true) type.isOneOf = true;
  }
}
