import { expect, test } from '@jest/globals';
import { isObjectType } from 'graphql';
import { getMetadataStorage, type ClassType } from 'type-graphql';
import { fieldWeights, hasOpenSize } from '../server/budget/fieldWeights.js';
import { parseAllowedTargets } from '../storage/allowedTargets.js';
import { createStorageKinds } from '../storage/createStorageKinds.js';
import { composeApi, type ApiTools } from './api.js';

// Resolvers use their dependencies only when they are called, and nothing calls them here.
const storages = createStorageKinds({ filesystemRoot: null, allowedTargets: parseAllowedTargets('') });
const schema = composeApi({ storages } as ApiTools);
const types = Object.values(schema.getTypeMap()).filter((type) => isObjectType(type));

test('every field that reads, computes or has no fixed size has a weight', () => {
  const heavy = new Set<string>();
  for (const type of types.filter(({ name }) => !name.startsWith('__'))) {
    for (const field of Object.values(type.getFields())) {
      const isRoot = type === schema.getQueryType();
      if (isRoot || hasOpenSize(type, field)) heavy.add(`${type.name}.${field.name}`);
    }
  }
  for (const [type, field] of declaredFieldResolvers()) heavy.add(`${type}.${field}`);
  // Mutations run one after the other, and a subscription has one root field.
  const without = [...heavy].filter((name) => !/^(?:Mutation|Subscription)\./.test(name) && !fieldWeights.has(name));
  expect(without).toEqual([]);
});

test('every weight belongs to a field', () => {
  const names = types.flatMap((type) => Object.keys(type.getFields()).map((field) => `${type.name}.${field}`));
  expect([...fieldWeights.keys()].filter((name) => !names.includes(name))).toEqual([]);
});

/** The fields that `@FieldResolver` declares, by the names of the object types in the schema. */
function declaredFieldResolvers(): readonly (readonly [type: string, field: string])[] {
  const { fieldResolvers, objectTypes } = getMetadataStorage() as unknown as {
    readonly fieldResolvers: readonly {
      readonly kind: string;
      readonly methodName: string;
      readonly schemaName?: string;
      readonly getObjectType?: () => ClassType;
    }[];
    readonly objectTypes: readonly { readonly name: string; readonly target: ClassType }[];
  };
  return fieldResolvers
    .filter(({ kind }) => kind === 'external')
    .flatMap(({ methodName, schemaName, getObjectType }) => {
      const declared = getObjectType?.();
      return objectTypes
        .filter(({ target }) => target === declared || target.prototype instanceof (declared ?? Object))
        .filter(({ name }) => schema.getType(name) !== undefined)
        .map(({ name }) => [name, schemaName ?? methodName] as const);
    });
}
