import type { Secret } from '../../secret.js';
import { compressedSizesIn, type CompressedSizes } from './compressedSizes.js';
import { openKernelPipes } from './kernelPipe.js';
import { plainOutput, type OutputFilter } from './outputFilter.js';
import { PipeReader } from './pipeReader.js';
import type { PipelineEnd } from './pipelineEnd.js';
import { compressArguments, type PipelinePrograms } from './pipelinePrograms.js';
import { observe, observerCommand, type Scanner } from './plainStream.js';
import { startTool, type StartedTool, type ToolCommand } from './startTool.js';

export type CompressedDump = {
  /** Of the tool; undefined where it could not be started. */
  readonly pid: number | undefined;
  /** Ends without an error however the dump ended: what it was worth, only `ended` knows. */
  readonly compressed: PipeReader;
  /** Plain bytes so far, told once a second: for progress. */
  plainBytes(): number;
  /** Settles when all processes are gone. */
  readonly ended: Promise<CompressedDumpEnd>;
};

/** With what zstd counted; undefined: it did not live to say so, or is one that does not. */
export type CompressedDumpEnd = PipelineEnd & { readonly sizes: CompressedSizes | undefined };

/** `observer → zstd → us`, waiting for what a tool writes. */
export type DumpPipeline = {
  /**
   * Once. The tool is started when `mayStart` has resolved; what it rejects with is thrown, and nothing runs any more.
   * From here on the tool's end is the pipeline's, and so is its signal.
   */
  run(
    tool: DumpTool,
    context: { readonly signal: AbortSignal; readonly mayStart?: Promise<unknown> },
  ): Promise<CompressedDump>;
  /** Ends what waits for a tool that never came. After `run` it does nothing. */
  close(): Promise<void>;
};

export type DumpTool = {
  readonly program: string;
  readonly args: readonly string[];
  readonly secrets: readonly Secret[];
  readonly filter: OutputFilter;
  readonly onLine: (line: string) => void;
};

/**
 * Starts all but the tool of `tool → observer → zstd → us`, connected by the kernel: bytes meet JavaScript once,
 * compressed. `scanner` reads the dump as it passes, and `onFinding` gets what it reports.
 */
export async function openDumpPipeline(
  programs: PipelinePrograms,
  context: {
    readonly workFolder: string;
    readonly signal: AbortSignal;
    readonly scanner?: Scanner;
    readonly onFinding?: (line: string) => void;
  },
): Promise<DumpPipeline> {
  const { dumped, observed, compressed } = await openKernelPipes(context.workFolder, [
    ...(['dumped', 'observed', 'compressed'] as const),
  ]);
  const closePipes = () => {
    for (const pipe of [dumped, observed, compressed]) pipe.close();
  };
  const givenUp = new AbortController();
  const running: StartedTool[] = [];
  const start = (command: ToolCommand): StartedTool => {
    const started = startTool(command, AbortSignal.any([context.signal, givenUp.signal]));
    running.push(started);
    return started;
  };
  const giveUp = async (reason?: unknown) => {
    givenUp.abort(reason);
    closePipes();
    await Promise.all(running.map(({ ended }) => ended));
  };
  let taken = false;
  try {
    // From the end to the beginning: whoever reads is there before anything is written.
    let sizes: CompressedSizes | undefined;
    const onLine = (line: string) => {
      sizes = compressedSizesIn(line) ?? sizes;
    };
    const zstd = { program: programs.zstd, args: compressArguments(), filter: plainOutput(), onLine };
    const compressor = start({ ...zstd, stdin: observed.readEnd, stdout: compressed.writeEnd });
    const counting = { stdin: dumped.readEnd, stdout: observed.writeEnd, side: true, filter: plainOutput() };
    const observer = start({ ...observerCommand(programs.perl, context.scanner), ...counting });
    if (observer.side === null) throw new Error('A child was started without its pipes.');
    const observation = observe(observer.side, context.onFinding);
    return {
      async run(tool, { signal, mayStart }) {
        if (taken) throw new Error('A pipeline takes one dump.');
        taken = true;
        const stop = () => givenUp.abort(signal.reason);
        signal.addEventListener('abort', stop, { once: true });
        try {
          await mayStart;
          signal.throwIfAborted();
          const dump = start({ ...tool, stdin: 'none', stdout: dumped.writeEnd });
          const ends = Promise.all([dump.ended, observer.ended, compressor.ended, observation.seen]);
          return {
            pid: dump.pid,
            compressed: new PipeReader(compressed.takeReadEnd()),
            plainBytes: observation.bytesSoFar,
            ended: ends.then(([toolEnd, observerEnd, compressorEnd, seen]) => {
              signal.removeEventListener('abort', stop);
              return { tool: toolEnd, observer: observerEnd, compressor: compressorEnd, plain: seen, sizes };
            }),
          };
        } catch (error) {
          signal.removeEventListener('abort', stop);
          await giveUp(error);
          throw error;
        } finally {
          closePipes();
        }
      },
      async close() {
        if (!taken) await giveUp();
      },
    };
  } catch (error) {
    await giveUp(error);
    throw error;
  }
}
