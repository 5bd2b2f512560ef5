import { RawJson } from './rawJson.js';

/** A value with at most this many values in it is written at once. */
const mostAtOnce = 500;

/** JSON of the result of an operation, like JSON.stringify. Calls `pause` between its pieces, and waits if it says so. */
export async function jsonInSlices(value: object, pause: () => Promise<void> | undefined): Promise<string> {
  let text = '';
  for (const piece of piecesOf(value)) {
    text += piece;
    const waiting = pause();
    if (waiting !== undefined) await waiting;
  }
  return text;
}

function* piecesOf(value: unknown): Generator<string, void, void> {
  if (value instanceof RawJson) {
    yield value.text;
    return;
  }
  if (typeof value !== 'object' || value === null || 'toJSON' in value || valuesIn(value, mostAtOnce) <= mostAtOnce) {
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
      yield* piecesOf(item);
      separator = ',';
    }
    yield ']';
    return;
  }
  yield '{';
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue;
    yield `${separator}${JSON.stringify(key)}:`;
    yield* piecesOf(item);
    separator = ',';
  }
  yield '}';
}

/** How many values it contains, with itself. It stops counting above `most`, and a RawJson is always above it. */
function valuesIn(value: unknown, most: number): number {
  if (value instanceof RawJson) return Infinity;
  if (typeof value !== 'object' || value === null) return 1;
  let count = 1;
  for (const item of Array.isArray(value) ? (value as unknown[]) : Object.values(value)) {
    count += valuesIn(item, most - count);
    if (count > most) return count;
  }
  return count;
}
