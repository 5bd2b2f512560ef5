import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { plainOutput } from '../process/outputFilter.js';
import { startTool, type ToolCommand } from '../process/startTool.js';
import type { Tools } from '../process/tools.js';
import type { ToolEnd } from '../process/toolEnd.js';

/**
 * A program between a tool and the storage that the bytes pass through. It reports how many bytes it read and wrote, so
 * that a byte lost between two steps is detected. An object is used for one start only.
 */
export type PipelineStep = {
  /** The beginning of a sentence, for example `The compressor zstd`. */
  readonly title: string;
  /** The version that reports its bytes, for the error message if the installed version reports none. */
  readonly needs: string;
  /** An absolute path. */
  readonly program: string;
  readonly args: readonly string[];
  /**
   * The output for the step's report: standard error, or descriptor 3, which the step then gets. Descriptor 3 can be
   * read too: it has what is written to `notes`.
   */
  readonly reportsOn: 'STDERR' | 'DESCRIPTOR_3';
  /** Receives each line of the report. */
  readonly onLine: (line: string) => void;
  /** The byte counts that the step has reported. */
  readonly total: () => StepBytes;
};

/** Undefined: not reported. */
export type StepBytes = { readonly read: number | undefined; readonly written: number | undefined };

export type StepEnd = { readonly step: PipelineStep; readonly end: ToolEnd };

export type StartedStep = {
  readonly stdin: Writable | null;
  /** Null: the step does not report on descriptor 3. */
  readonly notes: Writable | null;
  /** Settles when the process has ended and its report was read. Never rejects. */
  readonly ended: Promise<StepEnd>;
};

/** Throws the reason of the signal if it has already aborted. */
export function startStep(
  step: PipelineStep,
  ends: Pick<ToolCommand, 'stdin' | 'stdout'>,
  tools: Tools,
  signal: AbortSignal,
): StartedStep {
  const { program, args, onLine } = step;
  const command = { program, args, ...ends, filter: plainOutput() };
  if (step.reportsOn === 'STDERR') {
    const started = startTool({ ...command, onLine }, tools, signal);
    return { stdin: started.stdin, notes: null, ended: started.ended.then((end) => ({ step, end })) };
  }
  const started = startTool({ ...command, side: true }, tools, signal);
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
    notes: side,
    ended: Promise.all([started.ended, reported]).then(([end]) => ({ step, end })),
  };
}
