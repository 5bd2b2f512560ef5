import type { ApiSchemaOptions } from './apiSchema.js';

/**
 * The options of `buildApiSchema` for the resolver instances of all slices (`projectResolvers(…)`, `serviceResolvers(…)`,
 * …). Each class has one instance, and there must be at least one.
 */
export function resolverInstances(instances: readonly object[]): Pick<ApiSchemaOptions, 'resolvers' | 'container'> {
  const byClass = new Map<unknown, object>(instances.map((instance) => [instance.constructor, instance]));
  if (byClass.size !== instances.length) throw new Error('A resolver class has two instances, and may have only one.');
  const [first, ...rest] = instances.map((instance) => instance.constructor);
  if (first === undefined) throw new Error('A schema needs at least one resolver.');
  return { resolvers: [first, ...rest], container: { get: (resolver: unknown) => byClass.get(resolver) } };
}
