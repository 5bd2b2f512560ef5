import { StowageError } from '../../../errors.js';

/**
 * Parses JSON that the server has built for a query of ours. Throws SERVICE_UNREACHABLE if it is not JSON or does not have
 * the form: then the answer was damaged on its way, or the server only resembles PostgreSQL.
 */
export function serverJson<Value>(text: string | null | undefined, form: (value: unknown) => value is Value): Value {
  let value: unknown;
  try {
    value = JSON.parse(text ?? 'null');
  } catch (cause) {
    throw damaged(cause);
  }
  if (!form(value)) throw damaged();
  return value;
}

function damaged(cause?: unknown): StowageError {
  return new StowageError('SERVICE_UNREACHABLE', 'The server answered with JSON that has an unexpected form.', {
    help: 'Check that the host and the port lead to a PostgreSQL server, and that no proxy between changes its answers.',
    ...(cause === undefined ? {} : { cause }),
  });
}

export function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

/** An object whose values are texts or null. */
export function isRecordOfTexts(value: unknown): value is Readonly<Record<string, string | null>> {
  return isRecord(value) && Object.values(value).every(isTextOrNull);
}

/** A list of objects in which each of `names` is a text or null. */
export function isListOf(names: readonly string[]) {
  return (value: unknown): value is readonly Readonly<Record<string, unknown>>[] =>
    Array.isArray(value) && value.every((each) => isRecord(each) && names.every((name) => isTextOrNull(each[name])));
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string';
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
