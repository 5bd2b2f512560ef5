/** A field after a patch: absent leaves it unchanged, null sets its default. */
export function patched<Value>(change: Value | null | undefined, before: Value, byDefault: Value): Value {
  if (change === undefined) return before;
  return change ?? byDefault;
}
