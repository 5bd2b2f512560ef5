import type { Secret } from '../../secret.js';
import { compressedSizesIn, type CompressedSizes } from './compressedSizes.js';
import { openKernelPipes } from './kernelPipe.js';
import { PipeReader } from './pipeReader.js';
import type { PipelineEnd } from './pipelineEnd.js';
import { compressArguments, type PipelinePrograms } from './pipelinePrograms.js';
import { observe, observerCommand } from './plainStream.js';
import { startTool, type StartedTool, type ToolCommand } from './startTool.js';

export type CompressedDump = {
  /** Ends without an error however the dump ended: what it was worth, only `ended` knows. */
  readonly compressed: PipeReader;
  /** Plain bytes so far, told once a second: for progress. */
  plainBytes(): number;
  /** Settles when all processes are gone. */
  readonly ended: Promise<CompressedDumpEnd>;
};

/** With what zstd counted; undefined: it did not live to say so, or is one that does not. */
export type CompressedDumpEnd = PipelineEnd & { readonly sizes: CompressedSizes | undefined };

/**
 * `tool → observer → zstd → us`, connected by the kernel: bytes meet JavaScript once, compressed. The tool itself is
 * started when `mayStart` has resolved; what it rejects with is thrown, and nothing that was started runs any more.
 */
export async function startCompressedDump(
  tool: {
    readonly program: string;
    readonly args: readonly string[];
    readonly secrets: readonly Secret[];
    readonly onLine: (line: string) => void;
    /** The beginning of lines of the dump that are to be counted. */
    readonly mark?: string;
  },
  programs: PipelinePrograms,
  context: { readonly workFolder: string; readonly signal: AbortSignal; readonly mayStart?: Promise<unknown> },
): Promise<CompressedDump> {
  const { signal, workFolder, mayStart } = context;
  const { dumped, observed, compressed } = await openKernelPipes(workFolder, ['dumped', 'observed', 'compressed']);
  const closePipes = () => {
    for (const pipe of [dumped, observed, compressed]) pipe.close();
  };
  const givenUp = new AbortController();
  const running: StartedTool[] = [];
  const start = (command: ToolCommand): StartedTool => {
    const started = startTool(command, AbortSignal.any([signal, givenUp.signal]));
    running.push(started);
    return started;
  };
  try {
    // From the end to the beginning: whoever reads is there before anything is written.
    let sizes: CompressedSizes | undefined;
    const onLine = (line: string) => {
      sizes = compressedSizesIn(line) ?? sizes;
    };
    const zstd = { program: programs.zstd, args: compressArguments(), onLine };
    const compressor = start({ ...zstd, stdin: observed.readEnd, stdout: compressed.writeEnd });
    const counting = { stdin: dumped.readEnd, stdout: observed.writeEnd, side: true };
    const observer = start({ ...observerCommand(programs.perl, tool.mark), ...counting });
    if (observer.side === null) throw new Error('A child was started without its pipes.');
    const observation = observe(observer.side);
    await mayStart;
    const dump = start({ ...tool, stdin: 'none', stdout: dumped.writeEnd });
    const ends = Promise.all([dump.ended, observer.ended, compressor.ended, observation.seen]);
    return {
      compressed: new PipeReader(compressed.takeReadEnd()),
      plainBytes: observation.bytesSoFar,
      ended: ends.then(([toolEnd, observerEnd, compressorEnd, seen]) => ({
        tool: toolEnd,
        observer: observerEnd,
        compressor: compressorEnd,
        plain: seen,
        sizes,
      })),
    };
  } catch (error) {
    givenUp.abort(error);
    closePipes();
    await Promise.all(running.map(({ ended }) => ended));
    throw error;
  } finally {
    closePipes();
  }
}
