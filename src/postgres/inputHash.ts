import { createHmac } from 'node:crypto';
import { Secret } from '../secret.js';

/**
 * A keyed hash of what a client sent: equal for equal input, whatever the order of its fields. Keyed, because passwords
 * are inside and could be guessed from a plain hash.
 */
export function inputHash(key: Buffer, operation: string, input: unknown): Buffer {
  return createHmac('sha256', key)
    .update(canonicalJson([operation, input]))
    .digest();
}

/** JSON with sorted keys. A secret counts with its value, so the text itself must go nowhere but into the hash. */
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
