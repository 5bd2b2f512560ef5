import type { Secret } from '../../secret.js';
import type { OnLine } from '../process/lastLines.js';
import type { OutputFilter } from '../process/outputFilter.js';
import type { ToolFiles } from '../process/toolFiles.js';
import type { ToolEnd } from '../process/toolEnd.js';
import type { Observer } from './observer.js';
import type { StepEnd } from './pipelineStep.js';

/** The dump or restore tool at one end of a pipeline. */
export type PipelineTool = {
  /** An absolute path. */
  readonly program: string;
  readonly args: readonly string[];
  /** Variables besides PATH and LC_ALL. Their values are no secrets. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Files that only this program reads. */
  readonly files?: ToolFiles;
  /** Secrets that must not appear in its last lines. */
  readonly secrets: readonly Secret[];
  readonly filter: OutputFilter;
  /** Receives each line of standard error, without data. */
  readonly onLine?: OnLine;
};

/** How every process of a pipeline ended, and how many bytes passed between them. */
export type PipelineEnd = {
  readonly tool: ToolEnd;
  /** The steps in the order in which the bytes pass them. */
  readonly steps: readonly StepEnd[];
  readonly observer: Observer;
};
