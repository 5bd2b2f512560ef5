import type { StowageErrorOptions } from '../../errors.js';
import type { ToolEnd } from './toolEnd.js';

const crashes = new Set(['SIGSEGV', 'SIGBUS', 'SIGABRT', 'SIGILL', 'SIGFPE', 'SIGSYS']);

/** The last lines of a tool, and what a person should do. A caller that knows more about the error replaces `help`. */
export function toolOutput({ lastLines, signal, exitCode }: ToolEnd): StowageErrorOptions {
  const printed = lastLines === '' ? {} : { toolOutput: lastLines };
  if (signal === 'SIGKILL') {
    return {
      ...printed,
      help: 'Read the kernel log of the worker (dmesg): its machine may have run out of memory.',
    };
  }
  if (signal !== null && crashes.has(signal)) {
    return { ...printed, help: 'The tool crashed: install its newest version on the worker, then try again.' };
  }
  if (signal !== null) {
    return {
      ...printed,
      help: `Find the person or program that ended the tool on the worker (${signal}), then try again.`,
    };
  }
  if (exitCode === null || exitCode === 126 || exitCode === 127) {
    return {
      ...printed,
      help: 'The program does not start on the worker: install it again there, and run it by hand.',
    };
  }
  if (lastLines !== '') {
    return {
      ...printed,
      help: 'toolOutput holds the last lines of the tool. First repair the problem that they name.',
    };
  }
  return { help: 'It printed nothing. Read the logs of the database server and of the worker at that time.' };
}
