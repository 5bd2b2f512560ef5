import type { PipelineStep } from './pipelineStep.js';

/** What is done to the bytes of a dump before they are stored, and undone before a restore. */
export type StoredStep = {
  /** As backup.json keeps it: a name never changes its meaning. */
  readonly name: string;
  /** What it adds to the name of the stored object, for example `.zst`. */
  readonly suffix: string;
  /** What undoes it in a shell, for example `zstd -d`. */
  readonly undoByHand: string;
  /** What a person needs for that, for example `zstd 1.4 or newer`. */
  readonly undoByHandNeeds: string;
  /** Both throw TOOL_MISSING. Folders of `toolsPath` come before the system's. */
  apply(toolsPath: readonly string[]): PipelineStep;
  undo(toolsPath: readonly string[]): PipelineStep;
};
