import type { GraphQLSchema } from 'graphql';
import { lexicographicSortSchema, printSchema, validateSchema } from 'graphql';
import type { ContainerType } from 'type-graphql';
import { buildSchemaSync } from 'type-graphql';
import { meterFields } from './budget/meterFields.js';
import { applyOneOf } from './oneOf.js';
import { guardOperations } from './requires.js';
import { DateTime } from './scalars/dateTime.js';

export type ApiSchemaOptions = {
  /** The resolver classes of all slices. */
  // eslint-disable-next-line @typescript-eslint/no-unsafe-function-type -- type-graphql's own type of a resolver class
  readonly resolvers: readonly [Function, ...Function[]];
  /** Returns the single instance of a resolver class. The composition creates the instances. */
  readonly container: ContainerType;
};

/**
 * Builds the schema of the server, which `schema/schema.graphql` shows.
 * Throws if an operation declares no `@Requires(…)` or if a type is not valid.
 *
 * How slices write types (type-graphql with ESM):
 * - every `@Field`, `@Arg`, `@Query`, … names its type in a thunk; types of parameters are imported with `import type`;
 * - a class that is the TypeScript type of a decorated property is declared above that property in the file, or imported, because decorator metadata reads the type when the class is defined;
 * - a field that needs a later slice, such as Service.plans, is declared there and not on the object class:
 *   `@Resolver(() => ServiceType) class ServicePlansResolver { @FieldResolver(() => BackupPlanConnection) plans(@Root() service: ServiceType) … }`.
 *   The method's name is the field's name, and its type is always given. So no two files import each other;
 * - a literal union of the domain becomes an enum with `registerEnumType({ A: 'A', B: 'B' }, { name })`;
 * - a default is in `{ defaultValue }`, never on a patch; no property has an initializer.
 */
export function buildApiSchema(options: ApiSchemaOptions): GraphQLSchema {
  const schema = buildSchemaSync({
    resolvers: options.resolvers,
    container: options.container,
    scalarsMap: [{ type: Date, scalar: DateTime }],
    validate: false,
    disableInferringDefaultValues: true,
    // Subscriptions define their own source with `subscribe`. type-graphql requires a PubSub nevertheless.
    pubSub: noTopics,
    skipCheck: true,
  });
  applyOneOf(schema);
  const problems = validateSchema(schema);
  if (problems.length > 0) throw new AggregateError(problems, problems.map((problem) => problem.message).join('\n'));
  guardOperations(schema);
  meterFields(schema);
  return schema;
}

/** The SDL for schema/schema.graphql. It is sorted, so that it does not depend on the order of imports. */
export function emitSchema(schema: GraphQLSchema): string {
  return `${printSchema(lexicographicSortSchema(schema))}\n`;
}

const noTopics = {
  publish(): void {
    throw new Error('Subscriptions have no topics here: give @Subscription a `subscribe` function.');
  },
  subscribe(): AsyncIterable<never> {
    throw new Error('Subscriptions have no topics here: give @Subscription a `subscribe` function.');
  },
};
