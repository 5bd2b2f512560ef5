import { attemptsThatCount } from './attempt.js';
import type { AttemptedJobRow } from './attemptedJobView.js';

/** The sentence for a QUEUED job: it waits for its first attempt, or for another one. */
export function queuedMessage({
  attempts,
  retryAt,
  error,
  maxAttempts,
}: Pick<AttemptedJobRow, 'attempts' | 'retryAt' | 'error' | 'maxAttempts'>): string {
  if (attempts.length === 0) return 'Waiting for a worker.';
  const when = retryAt === null ? '' : ` at ${retryAt.toISOString()}`;
  if (attempts.at(-1)?.outcome === 'HANDED_BACK')
    return `A worker that was stopped has handed the job back. It runs again${when}.`;
  const tries = attemptsThatCount(attempts);
  return `Try ${tries} of ${maxAttempts} failed, and the next is due${when}: ${error?.message ?? 'the reason is unknown.'}`;
}

/** For example `, with 2 warnings`. Empty if there are none. */
export function withWarnings(warnings: readonly string[]): string {
  if (warnings.length === 0) return '';
  return `, with ${warnings.length} ${warnings.length === 1 ? 'warning' : 'warnings'}`;
}
