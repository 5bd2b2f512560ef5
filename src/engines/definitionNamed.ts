import type { Definition } from './inventory.js';

/** An object may be named like a property that every JavaScript object has, for example `constructor`. */
export function definitionNamed(
  definitions: Readonly<Record<string, Definition>> | undefined,
  name: string,
): Definition | undefined {
  return definitions !== undefined && Object.hasOwn(definitions, name) ? definitions[name] : undefined;
}
