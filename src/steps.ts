/**
 * A long computation in steps. It yields after each step, with the work that the step has cost in microseconds of a
 * processor, so that its caller can run something else in between, or stop it.
 */
export type Steps<Result> = Generator<number, Result, void>;

/** Runs all steps one after the other. */
export function atOnce<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
