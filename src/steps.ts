/**
 * A long computation in steps. After each step it yields the time that the step took, in microseconds of a processor.
 * So its caller can run other work in between, or stop it.
 */
export type Steps<Result> = Generator<number, Result, void>;

/** Runs all steps one after the other. */
export function atOnce<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
