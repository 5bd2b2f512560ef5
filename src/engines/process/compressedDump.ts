import type { Secret } from '../../secret.js';
import { compressedSizesIn, type CompressedSizes } from './compressedSizes.js';
import { openKernelPipe, type KernelPipe } from './kernelPipe.js';
import { PipeReader } from './pipeReader.js';
import type { PipelineEnd } from './pipelineEnd.js';
import { compressArguments, type PipelinePrograms } from './pipelinePrograms.js';
import { observe, observerCommand } from './plainStream.js';
import { startTool } from './startTool.js';

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

/** `tool → observer → zstd → us`, connected by the kernel: bytes meet JavaScript once, compressed. */
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
  context: { readonly workFolder: string; readonly signal: AbortSignal },
): Promise<CompressedDump> {
  const { signal, workFolder } = context;
  const pipes: KernelPipe[] = [];
  const open = async (name: string): Promise<KernelPipe> => {
    const pipe = await openKernelPipe(workFolder, name);
    pipes.push(pipe);
    return pipe;
  };
  try {
    const plain = await open('dumped');
    const observed = await open('observed');
    const stored = await open('compressed');
    // From the end to the beginning: whoever reads is there before anything is written.
    let sizes: CompressedSizes | undefined;
    const onLine = (line: string) => {
      sizes = compressedSizesIn(line) ?? sizes;
    };
    const zstd = { program: programs.zstd, args: compressArguments(), onLine };
    const compressor = startTool({ ...zstd, stdin: observed.readEnd, stdout: stored.writeEnd }, signal);
    const counting = { stdin: plain.readEnd, stdout: observed.writeEnd, side: true };
    const observer = startTool({ ...observerCommand(programs.perl, tool.mark), ...counting }, signal);
    const dump = startTool({ ...tool, stdin: 'none', stdout: plain.writeEnd }, signal);
    if (observer.side === null) throw new Error('A child was started without its pipes.');
    const observation = observe(observer.side);
    const ends = Promise.all([dump.ended, observer.ended, compressor.ended, observation.seen]);
    return {
      compressed: new PipeReader(stored.takeReadEnd()),
      plainBytes: observation.bytesSoFar,
      ended: ends.then(([toolEnd, observerEnd, compressorEnd, seen]) => ({
        tool: toolEnd,
        observer: observerEnd,
        compressor: compressorEnd,
        plain: seen,
        sizes,
      })),
    };
  } finally {
    for (const pipe of pipes) pipe.close();
  }
}
