import { isDeepStrictEqual } from 'node:util';

/** The fields of `after` that differ from `before`. An event about a change holds only these. */
export function changedFields<T extends object>(before: T, after: T): Partial<T> {
  const known = new Map<string, unknown>(Object.entries(before));
  const changed = Object.entries(after).filter(([key, value]) => !isDeepStrictEqual(value, known.get(key)));
  return Object.fromEntries(changed) as Partial<T>;
}
