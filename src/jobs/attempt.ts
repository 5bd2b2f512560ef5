/** A job, of a backup or of a restore, may be tried several times; each try has its own number, the fencing token. */
export type AttemptStart = { readonly number: number; readonly worker: string; readonly startedAt: string };

export type AttemptOutcome = 'SUCCEEDED' | 'FAILED' | 'CANCELLED' | 'WORKER_LOST' | 'HANDED_BACK';

export type AttemptEnd = {
  readonly finishedAt: string;
  readonly outcome: AttemptOutcome;
  readonly error: JobError | null;
};

/** Open while all of its end is null. */
export type AttemptRecord = AttemptStart & { readonly [Key in keyof AttemptEnd]: AttemptEnd[Key] | null };

/** Why an attempt or a job failed: what happened, what to do, and the last lines of the tool. */
export type JobError = {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
  readonly toolOutput: string | null;
  readonly retriable: boolean;
};

/** The attempts with one more that has begun. */
export function beginAttempt<Start extends AttemptStart>(
  attempts: readonly (NoInfer<Start> & AttemptRecord)[],
  attempt: Start,
): readonly (Start & AttemptRecord)[] {
  return [...attempts, { ...attempt, finishedAt: null, outcome: null, error: null }];
}

/** The attempts with the one of that number ended. */
export function endAttempt<Attempt extends AttemptRecord>(
  attempts: readonly Attempt[],
  number: number,
  end: AttemptEnd,
): readonly Attempt[] {
  return attempts.map((attempt) => (attempt.number === number ? { ...attempt, ...end } : attempt));
}

/** How many tries were made: an attempt that a draining worker handed back is none. */
export function attemptsThatCount(attempts: readonly AttemptRecord[]): number {
  return attempts.filter((attempt) => attempt.outcome !== 'HANDED_BACK').length;
}
