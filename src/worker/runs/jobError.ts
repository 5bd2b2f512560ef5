import { StowageError } from '../../errors.js';
import type { JobError } from '../../jobs/attempt.js';
import { outsideText } from '../../outsideText.js';

/** The limit for the texts of servers and tools in an event. A longer text would not help a person. */
const mostChars = 4_096;

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
    message: outsideText(failure.message, mostChars),
    hint: outsideText(failure.help, mostChars),
    toolOutput: failure.toolOutput === undefined ? null : outsideText(failure.toolOutput, mostChars),
    retriable: failure.retriable,
  };
}
