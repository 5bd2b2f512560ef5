import type { PipelineStep } from './pipelineStep.js';
import type { Tools } from '../process/tools.js';

/** A conversion of the bytes of a dump before they are stored. A restore undoes it. */
export type StoredStep = {
  /** The name in backup.json. A name never changes its meaning. */
  readonly name: string;
  /** The suffix for the name of the stored object, for example `.zst`. */
  readonly suffix: string;
  /** The shell command that undoes the step, for example `zstd -d`. */
  readonly undoByHand: string;
  /** The program that a person must install for that command, for example `zstd 1.4 or newer`. */
  readonly undoByHandNeeds: string;
  /** Both throw TOOL_MISSING. Folders of `tools` come before the folders of the system. */
  apply(tools: Tools): PipelineStep;
  undo(tools: Tools): PipelineStep;
};
