import type { JobError } from './attempt.js';

/**
 * Events before schema version 2 may repeat rows of a customer's table. They are in the tool's last lines, and in the
 * sentence of a server or a tool inside the message. Both are removed whenever such an event is read. The code, our own
 * words and the number of the error stay.
 */
export function errorOfOld(error: JobError): JobError {
  const message = messageOfOld(error.message);
  const hint = error.hint?.replace(/Read the last lines of the tool( and start the backup again)?\./g, removed) ?? null;
  return { ...error, message, hint, toolOutput: error.toolOutput === null || error.toolOutput === '' ? null : removed };
}

/** The upcaster of an event whose data has an `error`. */
export function dataWithErrorOfOld(data: Record<string, unknown>): Record<string, unknown> {
  const { error } = data;
  return typeof error === 'object' && error !== null ? { ...data, error: errorOfOld(error as JobError) } : data;
}

/** Removes the quoted output of the dump tool from a warning of a backup. */
export function warningOfOld(warning: string): string {
  return warning.startsWith(toolSaid) ? `${toolSaid} ${removed}` : warning;
}

const toolSaid = 'The dump tool said:';
const removed = 'The text was removed because it may contain data.';

/** Matches the quoted output of a server or a tool, which follows our own words. */
const citations =
  /(?:: (?=ERROR \d)|: (?=[\w./-]*(?:mariadb|mysql)[\w.-]*: )|(?<=\b(?:ended with exit code \d+|was killed by \w+|could not be started|reported an error)): |(?<=\banswered): |(?<=\bwhile it was dumped): ).*$/s;

function messageOfOld(message: string): string {
  const cited = citations.exec(message)?.[0];
  if (cited === undefined) return message;
  const number = (/\berror:? (\d{4,5})\b/i.exec(cited) ?? /\((\d{4})\)\.?\s*$/.exec(cited))?.[1];
  const before = message.slice(0, message.length - cited.length).replace(/\banswered$/, 'returned an error');
  return `${before}${number === undefined ? '' : ` (error ${number})`}. The text was removed because it may contain data.`;
}
