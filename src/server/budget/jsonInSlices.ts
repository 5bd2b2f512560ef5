/** Levels of objects and lists that are written piece by piece: below these come the items of a list. */
const levels = 4;

/** JSON of the result of an operation, like JSON.stringify. Calls `pause` between its pieces, and waits if it says so. */
export async function jsonInSlices(value: object, pause: () => Promise<void> | undefined): Promise<string> {
  let text = '';
  for (const piece of piecesOf(value, levels)) {
    text += piece;
    const waiting = pause();
    if (waiting !== undefined) await waiting;
  }
  return text;
}

function* piecesOf(value: unknown, depth: number): Generator<string, void, void> {
  if (depth === 0 || typeof value !== 'object' || value === null || 'toJSON' in value) {
    // The types of TypeScript do not say that a function, for example, has no JSON.
    const text: string | undefined = JSON.stringify(value);
    yield text;
    return;
  }
  let separator = '';
  if (Array.isArray(value)) {
    yield '[';
    for (const item of value) {
      yield separator;
      yield* piecesOf(item, depth - 1);
      separator = ',';
    }
    yield ']';
    return;
  }
  yield '{';
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue;
    yield `${separator}${JSON.stringify(key)}:`;
    yield* piecesOf(item, depth - 1);
    separator = ',';
  }
  yield '}';
}
