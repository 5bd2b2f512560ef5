import type { ToolEnd } from './runningTool.js';
import type { PlainStream } from './plainStream.js';

/** How every process of a pipeline ended, and what passed between them. */
export type PipelineEnd = {
  /** The dump or restore tool. */
  readonly tool: ToolEnd;
  readonly observer: ToolEnd;
  /** zstd, in either direction. */
  readonly compressor: ToolEnd;
  /** Undefined: the stream was not seen to its end. */
  readonly plain: PlainStream | undefined;
};

export function endedWell(end: ToolEnd): boolean {
  return end.exitCode === 0;
}

/** For example "ended with exit code 2", "was killed by SIGKILL". */
export function howItEnded(end: ToolEnd): string {
  if (end.signal !== null) return `was killed by ${end.signal}`;
  return end.exitCode === null ? 'could not be started' : `ended with exit code ${end.exitCode}`;
}
