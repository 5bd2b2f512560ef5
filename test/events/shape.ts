/**
 * The structure of JSON data. A string is a primitive (`"string"`) or a literal (`"\"FILES\""`); a list is a union; an
 * object lists its fields, where `name?` may be absent; `{ "[]": shape }` is an array and `{ "{}": shape }` a record.
 * Unions of text literals count as `"string"`: a new failure code or engine is a new value, not a new shape.
 */
export type Shape = string | readonly Shape[] | { readonly [field: string]: Shape };

/** The paths at which the data does not match the shape. */
export function misfits(data: unknown, shape: Shape, path = ''): readonly string[] {
  if (typeof shape === 'string') return fitsPrimitive(data, shape) ? [] : [`${path} is not ${shape}`];
  if (isUnion(shape)) {
    const found = shape.map((each) => misfits(data, each, path));
    return found.some((each) => each.length === 0) ? [] : (found.toSorted(byLength)[0] ?? []);
  }
  const { '[]': item, '{}': entry } = shape;
  if (item !== undefined) {
    if (!Array.isArray(data)) return [`${path} is not an array`];
    return data.flatMap((each, index) => misfits(each, item, `${path}[${index}]`));
  }
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return [`${path} is not an object`];
  if (entry !== undefined) return Object.entries(data).flatMap(([key, each]) => misfits(each, entry, `${path}.${key}`));
  const unknown = Object.keys(data).filter((key) => !(key in shape) && !(`${key}?` in shape));
  return [
    ...unknown.map((key) => `${path}.${key} is not in the shape`),
    ...Object.entries(shape).flatMap(([field, each]) => {
      const key = field.replace(/\?$/, '');
      const value: unknown = Reflect.get(data, key);
      if (value !== undefined) return misfits(value, each, `${path}.${key}`);
      return field.endsWith('?') ? [] : [`${path}.${key} is absent`];
    }),
  ];
}

function isUnion(shape: Shape): shape is readonly Shape[] {
  return Array.isArray(shape);
}

function fitsPrimitive(data: unknown, shape: string): boolean {
  if (shape === 'unknown') return true;
  if (shape === 'null') return data === null;
  if (shape === 'string' || shape === 'number' || shape === 'boolean') return typeof data === shape;
  return JSON.stringify(data) === shape;
}

function byLength(one: readonly unknown[], other: readonly unknown[]): number {
  return one.length - other.length;
}
