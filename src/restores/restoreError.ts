import type { JobError } from '../jobs/attempt.js';
import { leftOnTarget, silentTarget } from './leftOnTarget.js';

/**
 * The error of a restore whose tool had started. It is not retriable, and its hint names the databases that may be left
 * on the target. `isSilent`: the target was given up before it had confirmed the end of our sessions.
 */
export function restoreError(
  failure: JobError,
  { databases, isSilent = false }: { readonly databases: readonly string[]; readonly isSilent?: boolean },
): JobError {
  // Another restore is creating these databases. None of our statements ran, and the databases are not ours.
  if (failure.code === 'TARGET_EXISTS') return { ...failure, retriable: false };
  const hints = [failure.hint, isSilent ? silentTarget : null, leftOnTarget(databases)];
  return { ...failure, hint: hints.filter((hint) => hint !== null).join(' '), retriable: false };
}
