import { registerEnumType } from 'type-graphql';

/**
 * Registers a GraphQL enum of these values. Returns an object that maps each value to itself:
 *
 *     export const TriggerEnum = enumType('Trigger', ['SCHEDULE', 'MANUAL']);
 */
export function enumType<const Value extends string>(
  name: string,
  values: readonly Value[],
  description?: string,
): { readonly [Key in Value]: Key } {
  const entries = Object.fromEntries(values.map((value) => [value, value])) as { readonly [Key in Value]: Key };
  registerEnumType(entries, description === undefined ? { name } : { name, description });
  return entries;
}
