/** One try of a job. Its number increases with each try and is the fencing token of the lease. */
export type AttemptStart = { readonly number: number; readonly worker: string; readonly startedAt: string };

export type AttemptOutcome = 'SUCCEEDED' | 'FAILED' | 'CANCELLED' | 'WORKER_LOST' | 'HANDED_BACK';

export type AttemptEnd = {
  readonly finishedAt: string;
  readonly outcome: AttemptOutcome;
  readonly error: JobError | null;
};

/** While the attempt runs, every property of its end is null. */
export type AttemptRecord = AttemptStart & { readonly [Key in keyof AttemptEnd]: AttemptEnd[Key] | null } & {
  /** The worker that recorded the success, because the attempt's own worker was lost before it could do so. */
  readonly adoptedBy?: string;
};

/** The reason why an attempt or a job failed: the problem, what to do, and the last lines of the tool. */
export type JobError = {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
  readonly toolOutput: string | null;
  readonly retriable: boolean;
};

/** Adds a running attempt. */
export function beginAttempt<Attempt extends AttemptRecord>(
  attempts: readonly Attempt[],
  attempt: Omit<Attempt, keyof AttemptEnd>,
): readonly Attempt[] {
  return [...attempts, { ...attempt, finishedAt: null, outcome: null, error: null } as unknown as Attempt];
}

/** Ends the attempt of that number. */
export function endAttempt<Attempt extends AttemptRecord>(
  attempts: readonly Attempt[],
  number: number,
  end: AttemptEnd & Pick<AttemptRecord, 'adoptedBy'>,
): readonly Attempt[] {
  return attempts.map((attempt) => (attempt.number === number ? { ...attempt, ...end } : attempt));
}

/**
 * The number of attempts that count against `maxAttempts`. An attempt that a draining worker handed back does not
 * count.
 */
export function attemptsThatCount(attempts: readonly AttemptRecord[]): number {
  return attempts.filter((attempt) => attempt.outcome !== 'HANDED_BACK').length;
}
