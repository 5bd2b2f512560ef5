import { startTool } from '../process/startTool.js';
import { openKernelPipes, type KernelPipes } from './kernelPipe.js';
import { createObserver, type Observer, type Scanner } from './observer.js';
import { PipeReader } from './pipeReader.js';
import { startStep, type PipelineStep, type StartedStep, type StepEnd } from './pipelineStep.js';
import type { PipelineEnd, PipelineTool } from './runningPipeline.js';
import type { StoredStep } from './storedStep.js';
import type { Tools } from '../process/tools.js';

/** The chain `observer → steps → us`, which waits for the output of a tool. */
export type DumpPipeline = {
  /**
   * May be called once. Starts the tool when `mayStart` has resolved. If `mayStart` rejects, this ends all processes
   * and throws the same error. After the start, the pipeline ends with the tool, or when `signal` aborts.
   */
  run(
    tool: PipelineTool,
    context: {
      readonly signal: AbortSignal;
      readonly mayStart?: Promise<unknown>;
      /** A text that the scanner can read. */
      readonly notes?: string;
    },
  ): Promise<RunningDumpPipeline>;
  /** Ends the processes if no tool was started. Has no effect after `run`. */
  close(): Promise<void>;
};

export type RunningDumpPipeline = {
  /** The process id of the tool. Undefined: the tool could not be started. */
  readonly pid: number | undefined;
  /** Its uid. Undefined: that of this process. */
  readonly uid: number | undefined;
  /** Ends without an error even if the dump failed. Only `ended` shows whether the dump is complete. */
  readonly stored: PipeReader;
  /** The number of plain bytes so far, updated once a second: for progress. */
  plainBytes(): number;
  /** Settles when all processes have ended. */
  readonly ended: Promise<PipelineEnd>;
};

/**
 * Starts all processes of the chain `tool → observer → steps → us` except the tool, connected by the kernel. The bytes
 * enter JavaScript only once, to be stored. `scanner` reads the dump as it passes, and `onFinding` gets what it
 * reports.
 */
export async function openDumpPipeline(context: {
  readonly workFolder: string;
  readonly signal: AbortSignal;
  readonly tools: Tools;
  readonly steps: readonly StoredStep[];
  readonly scanner?: Scanner;
  readonly onFinding?: (line: string) => void;
}): Promise<DumpPipeline> {
  const { tools, workFolder } = context;
  const observer = createObserver(tools, context);
  const steps = [observer, ...context.steps.map((step) => step.apply(tools))];
  const pipes = await openKernelPipes(workFolder, steps.length + 1);
  const givenUp = new AbortController();
  const signal = AbortSignal.any([context.signal, givenUp.signal]);
  /** How each started process ended. */
  const ended: Promise<unknown>[] = [];
  const orGiveUp = async <T>(work: () => T | Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      givenUp.abort(error);
      pipes.close();
      await Promise.all(ended);
      throw error;
    }
  };
  const started = await orGiveUp(() => startSteps(steps, pipes, { tools, signal, ended }));
  let taken = false;
  return {
    async run(tool, { signal: ownSignal, mayStart, notes = '' }) {
      if (taken) throw new Error('A pipeline can be run only once.');
      taken = true;
      const stop = () => givenUp.abort(ownSignal.reason);
      ownSignal.addEventListener('abort', stop, { once: true });
      try {
        const running = await orGiveUp(async () => {
          await mayStart;
          ownSignal.throwIfAborted();
          started[0]?.notes?.end(notes);
          const stepsEnded = started.map((step) => step.ended);
          return runTool(tool, pipes, { observer, stepsEnded, tools, signal, ended });
        });
        void running.ended.then(() => ownSignal.removeEventListener('abort', stop));
        return running;
      } catch (error) {
        ownSignal.removeEventListener('abort', stop);
        throw error;
      } finally {
        pipes.close();
      }
    },
    async close() {
      if (taken) return;
      givenUp.abort();
      pipes.close();
      await Promise.all(ended);
    },
  };
}

function runTool(
  tool: PipelineTool,
  pipes: KernelPipes,
  of: {
    readonly tools: Tools;
    readonly signal: AbortSignal;
    readonly observer: Observer;
    readonly stepsEnded: readonly Promise<StepEnd>[];
    readonly ended: Promise<unknown>[];
  },
): RunningDumpPipeline {
  const { observer, stepsEnded, tools, signal } = of;
  const dump = startTool({ ...tool, stdin: 'none', stdout: pipes.writeEnd(0) }, tools, signal);
  of.ended.push(dump.ended);
  const ends = Promise.all([dump.ended, ...stepsEnded]);
  return {
    pid: dump.pid,
    uid: dump.uid,
    stored: new PipeReader(pipes.takeReadEnd(stepsEnded.length)),
    plainBytes: observer.bytesSoFar,
    ended: ends.then(([toolEnd, ...stepEnds]) => ({ tool: toolEnd, steps: stepEnds, observer })),
  };
}

/**
 * Starts the processes from the end to the beginning, so that each step reads before anything is written to it. Adds
 * the started processes to `ended`.
 */
function startSteps(
  steps: readonly PipelineStep[],
  pipes: KernelPipes,
  { tools, signal, ended }: { readonly tools: Tools; readonly signal: AbortSignal; readonly ended: Promise<unknown>[] },
): readonly StartedStep[] {
  return steps
    .map((step, place) => ({ step, stdin: pipes.readEnd(place), stdout: pipes.writeEnd(place + 1) }))
    .reverse()
    .map(({ step, ...ends }) => {
      const started = startStep(step, ends, tools, signal);
      ended.push(started.ended);
      return started;
    })
    .reverse();
}
