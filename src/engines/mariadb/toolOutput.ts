import type { StowageErrorOptions } from '../../errors.js';

/** Who said nothing has no last lines to read. */
export function toolOutput(lastLines: string): StowageErrorOptions {
  if (lastLines !== '') return { toolOutput: lastLines };
  return { help: 'It said nothing: look into the logs of the database server and of the worker at that time.' };
}
