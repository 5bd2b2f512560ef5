import { StowageError } from '../../errors.js';
import type { Compression } from '../compression.js';
import type { StoredStep } from './storedStep.js';
import { zstd } from './zstd.js';

/** A new step needs one line here. */
const known: readonly StoredStep[] = [zstd('BALANCED')];

/** The steps of a new backup, in the order in which they are applied. */
export function stepsOf(compression: Compression): readonly StoredStep[] {
  return [zstd(compression)];
}

export const usualSteps = stepsOf('BALANCED');

/** The steps with these names. Throws TOOL_VERSION for a name that this version does not know. */
export function storedSteps(names: readonly string[]): readonly StoredStep[] {
  return names.map((name) => {
    const step = known.find((each) => each.name === name);
    if (step !== undefined) return step;
    throw new StowageError('TOOL_VERSION', `This version of Stowage cannot undo '${name}', which the backup passed.`, {
      help: 'Restore it with the version that took it, or a newer one.',
    });
  });
}
