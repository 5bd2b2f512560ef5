import { requireProgram } from '../process/programs.js';
import { createObserver } from './observer.js';
import { usualSteps } from './storedSteps.js';

/**
 * The programs of the steps that a new backup passes, by the step's name: absolute paths. Throws TOOL_MISSING if one of
 * them, or another program that every pipeline needs, is not installed. Folders of `toolsPath` come before the folders
 * of the system.
 */
export function pipelinePrograms(toolsPath: readonly string[]): Readonly<Record<string, string>> {
  requireProgram('mkfifo', 'coreutils');
  createObserver(toolsPath);
  return Object.fromEntries(usualSteps.map((step) => [step.name, step.apply(toolsPath).program]));
}
