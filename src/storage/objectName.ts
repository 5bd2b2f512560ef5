import { StowageError } from '../errors.js';

/**
 * Refuses names that some storages do not support, or that a proxy could read as another path. These are empty names,
 * `.` and `..`, a leading or doubled `/`, NUL, and more than 1,024 bytes (the limit of object storages). Throws
 * ENDPOINT_FORBIDDEN.
 */
export function checkObjectName(name: string): void {
  const problem = problemOf(name);
  if (problem === undefined) return;
  throw new StowageError('ENDPOINT_FORBIDDEN', `The object name ${JSON.stringify(name.slice(0, 80))} ${problem}.`, {
    help: 'Use a relative name of at most 1,024 bytes without `.`, `..` or empty parts.',
  });
}

function problemOf(name: string): string | undefined {
  const parts = name.split('/');
  if (parts.includes('')) return 'has an empty part';
  if (parts.includes('.') || parts.includes('..')) return 'has a part that means another folder';
  if (name.includes('\0') || /\p{Surrogate}/u.test(name)) return 'has characters that cannot be sent';
  if (Buffer.byteLength(name) > 1024) return 'is longer than 1,024 bytes';
  return undefined;
}
