import { requireProgram } from '../process/programs.js';
import { createObserver } from './observer.js';
import { usualSteps } from './storedSteps.js';
import type { Tools } from '../process/tools.js';

/**
 * The programs of the steps that a new backup passes, by the step's name: absolute paths. Throws TOOL_MISSING if one of
 * them, or another program that every pipeline needs, is not installed. Folders of `tools` come before the folders
 * of the system.
 */
export function pipelinePrograms(tools: Tools): Readonly<Record<string, string>> {
  requireProgram('mkfifo', 'coreutils');
  createObserver(tools);
  return Object.fromEntries(usualSteps.map((step) => [step.name, step.apply(tools).program]));
}
