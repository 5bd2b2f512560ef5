import { StowageError } from '../../errors.js';
import type { JobError } from '../../jobs/attempt.js';

/**
 * A failure in the form that is recorded and shown. An error that is not a StowageError is a defect of Stowage, and its
 * text is not shown.
 */
export function jobError(failure: unknown): JobError {
  if (!(failure instanceof StowageError)) {
    return {
      code: 'INTERNAL',
      message: 'The worker got an unknown error; its log has the details.',
      hint: 'Report it with the id of the job and the log of the worker at that time.',
      toolOutput: null,
      retriable: false,
    };
  }
  return {
    code: failure.code,
    message: failure.message,
    hint: failure.help,
    toolOutput: failure.toolOutput ?? null,
    retriable: failure.retriable,
  };
}
