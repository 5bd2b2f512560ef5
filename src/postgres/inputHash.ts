import { createHmac } from 'node:crypto';
import { Secret } from '../secret.js';

/**
 * A keyed hash of a client's input. It does not depend on the order of fields. Because of the key, passwords in the
 * input cannot be guessed from the hash.
 */
export function inputHash(key: Buffer, operation: string, input: unknown): Buffer {
  return createHmac('sha256', key)
    .update(canonicalJson([operation, input]))
    .digest();
}

/** JSON with sorted keys. It contains the values of secrets, so it is used for the hash only. */
function canonicalJson(value: unknown): string {
  if (value instanceof Secret) return `{"secret":${JSON.stringify(value.reveal())}}`;
  if (value instanceof Date) return JSON.stringify(value);
  if (typeof value === 'bigint') return JSON.stringify(value.toString());
  if (Array.isArray(value)) return `[${value.map((each: unknown) => canonicalJson(each ?? null)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null);
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, field]) => `${JSON.stringify(name)}:${canonicalJson(field)}`);
  return `{${fields.join(',')}}`;
}
