import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { plainOutput } from '../process/outputFilter.js';
import { startTool, type ToolCommand } from '../process/startTool.js';
import type { ToolEnd } from '../process/toolEnd.js';

/**
 * A program that the bytes pass on their way between a tool and the storage. It reports how many bytes it read and
 * wrote, so that a byte lost between two steps is noticed. Each object is for one start.
 */
export type PipelineStep = {
  /** Begins a sentence, for example `The compressor zstd`. */
  readonly title: string;
  /** The version that reports its bytes, for the message where none were reported. */
  readonly needs: string;
  /** Absolute. */
  readonly program: string;
  readonly args: readonly string[];
  /** Where it reports: on standard error, or on descriptor 3, which it is then given. */
  readonly reportsOn: 'STDERR' | 'DESCRIPTOR_3';
  /** Takes each line of the report. */
  readonly onLine: (line: string) => void;
  /** What the step has reported of all its bytes. */
  readonly total: () => StepBytes;
};

/** Undefined: not reported. */
export type StepBytes = { readonly read: number | undefined; readonly written: number | undefined };

export type StepEnd = { readonly step: PipelineStep; readonly end: ToolEnd };

export type StartedStep = {
  readonly stdin: Writable | null;
  /** Settles when the process is gone and its report was read. Never rejects. */
  readonly ended: Promise<StepEnd>;
};

/** Throws the signal's reason if it has aborted before. */
export function startStep(
  step: PipelineStep,
  ends: Pick<ToolCommand, 'stdin' | 'stdout'>,
  signal: AbortSignal,
): StartedStep {
  const { program, args, onLine } = step;
  const command = { program, args, ...ends, filter: plainOutput() };
  if (step.reportsOn === 'STDERR') {
    const started = startTool({ ...command, onLine }, signal);
    return { stdin: started.stdin, ended: started.ended.then((end) => ({ step, end })) };
  }
  const started = startTool({ ...command, side: true }, signal);
  const { side } = started;
  const reported = new Promise<void>((resolve) => {
    if (side === null) {
      resolve();
      return;
    }
    const lines = createInterface({ input: side }).on('line', onLine);
    lines.once('close', resolve);
    side.once('close', () => lines.close());
  });
  return {
    stdin: started.stdin,
    ended: Promise.all([started.ended, reported]).then(([end]) => ({ step, end })),
  };
}
