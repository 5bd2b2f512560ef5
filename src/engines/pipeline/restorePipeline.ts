import type { Writable } from 'node:stream';
import { startTool } from '../process/startTool.js';
import { openKernelPipes } from './kernelPipe.js';
import { createObserver, type Scanner } from './observer.js';
import { startStep } from './pipelineStep.js';
import type { PipelineEnd, PipelineTool } from './runningPipeline.js';
import type { StoredStep } from './storedStep.js';
import type { Tools } from '../process/tools.js';

export type RunningRestorePipeline = {
  /** The process id of the tool. Undefined: the tool could not be started. */
  readonly pid: number | undefined;
  /** Its uid. Undefined: that of this process. */
  readonly uid: number | undefined;
  /**
   * Receives the stored bytes. Write errors are ignored: they mean that the processes have ended, and `ended` reports
   * why.
   */
  readonly stored: Writable;
  /** The plain bytes that the tool has received so far, updated once a second: for progress. */
  plainBytes(): number;
  /** Settles when all processes have ended. */
  readonly ended: Promise<PipelineEnd>;
};

/** Starts the chain `us → steps undone → observer → tool`, connected by the kernel. */
export async function startRestorePipeline(
  tool: PipelineTool,
  context: {
    readonly workFolder: string;
    readonly signal: AbortSignal;
    readonly tools: Tools;
    /** The steps in the order in which the dump passed them. They are undone from the last to the first. */
    readonly steps: readonly StoredStep[];
    /** Called once the pipes and the files of the tool exist. No process starts before it has resolved. */
    readonly mayStart?: () => Promise<unknown>;
    /** Reads the plain bytes on their way to the tool. */
    readonly scanner?: Scanner;
    /** Gets each line that the scanner reports. */
    readonly onFinding?: (line: string) => void;
  },
): Promise<RunningRestorePipeline> {
  const { signal, workFolder, tools } = context;
  const observer = createObserver(tools, context);
  const steps = [...[...context.steps].reverse().map((step) => step.undo(tools)), observer];
  const pipes = await openKernelPipes(workFolder, steps.length);
  try {
    tool.files?.open();
    await context.mayStart?.();
    const restore = startTool({ ...tool, stdin: pipes.readEnd(steps.length - 1), stdout: 'none' }, tools, signal);
    const started = steps
      .map((step, index) => ({
        step,
        stdin: index === 0 ? ('pipe' as const) : pipes.readEnd(index - 1),
        stdout: pipes.writeEnd(index),
      }))
      .reverse()
      .map(({ step, ...ends }) => startStep(step, ends, tools, signal))
      .reverse();
    const stored = started[0]?.stdin ?? null;
    if (stored === null) throw new Error('A child was started without its pipes.');
    const ends = Promise.all([restore.ended, ...started.map(({ ended }) => ended)]);
    return {
      pid: restore.pid,
      uid: restore.uid,
      stored,
      plainBytes: observer.bytesSoFar,
      ended: ends.then(([toolEnd, ...stepEnds]) => ({ tool: toolEnd, steps: stepEnds, observer })),
    };
  } finally {
    tool.files?.close();
    pipes.close();
  }
}
