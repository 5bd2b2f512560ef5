import type { CheckStep, CheckStepName } from '../check.js';
import { StowageError, type ErrorCode } from '../errors.js';
import { outsideText } from '../outsideText.js';

/** The maximum length of a message that a check stores and shows. A list of databases may be long. */
const mostChars = 2_000;

/** One step of a check. `run` returns the message for a person, and throws if the step fails. */
export type StepToTry = { readonly name: CheckStepName; readonly run: (signal: AbortSignal) => Promise<string | null> };

/**
 * Runs steps in order. Steps after the first failure are SKIPPED. `timeoutMs` limits all of them together: the step
 * that is running then fails with the code `tooSlow`. Throws only the reason of the signal.
 */
export async function trySteps(
  steps: readonly StepToTry[],
  limits: { readonly signal: AbortSignal; readonly timeoutMs: number; readonly tooSlow: ErrorCode },
): Promise<readonly CheckStep[]> {
  const timeout = AbortSignal.timeout(limits.timeoutMs);
  const signal = AbortSignal.any([limits.signal, timeout]);
  const results: CheckStep[] = [];
  let failed = false;
  for (const step of steps) {
    if (failed) {
      results.push({ name: step.name, status: 'SKIPPED', tookMs: null, code: null, message: null, hint: null });
      continue;
    }
    const began = performance.now();
    const tookMs = () => Math.round(performance.now() - began);
    try {
      signal.throwIfAborted();
      const message = await step.run(signal);
      results.push({
        ...{ name: step.name, status: 'OK', tookMs: tookMs(), code: null, hint: null },
        message: message === null ? null : outsideText(message, mostChars),
      });
    } catch (error) {
      limits.signal.throwIfAborted();
      failed = true;
      const why = timeout.aborted ? tookTooLong(limits) : asStowageError(error);
      results.push({
        name: step.name,
        status: 'FAILED',
        tookMs: tookMs(),
        code: why.code,
        message: outsideText(why.message, mostChars),
        hint: outsideText(why.help, mostChars),
      });
    }
  }
  return results;
}

function tookTooLong(limits: { readonly timeoutMs: number; readonly tooSlow: ErrorCode }): StowageError {
  const seconds = Math.round(limits.timeoutMs / 100) / 10;
  return new StowageError(
    limits.tooSlow,
    `This step was still waiting when the time limit of the check (${seconds} s) ended.`,
    {
      help: 'Check that no firewall drops the connection, and that the storage answers other clients.',
    },
  );
}

function asStowageError(error: unknown): StowageError {
  if (error instanceof StowageError) return error;
  return new StowageError('INTERNAL', 'The step ended with an error that Stowage does not know.', { cause: error });
}
