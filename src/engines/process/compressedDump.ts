import type { Readable } from 'node:stream';
import type { Secret } from '../../secret.js';
import { openKernelPipe } from './kernelPipe.js';
import type { PipelineEnd } from './pipelineEnd.js';
import { compressArguments, type PipelinePrograms } from './pipelinePrograms.js';
import { observe, observerCommand } from './plainStream.js';
import { startTool } from './startTool.js';

export type CompressedDump = {
  /** Ends without an error however the dump ended: what it was worth, only `ended` knows. */
  readonly compressed: Readable;
  /** Plain bytes so far, told once a second: for progress. */
  plainBytes(): number;
  /** Settles when all processes are gone. */
  readonly ended: Promise<PipelineEnd>;
};

/** `tool → observer → zstd → us`, connected by the kernel: bytes meet JavaScript once, compressed. */
export async function startCompressedDump(
  tool: {
    readonly program: string;
    readonly args: readonly string[];
    readonly secrets: readonly Secret[];
    readonly onLine: (line: string) => void;
  },
  programs: PipelinePrograms,
  context: { readonly workFolder: string; readonly signal: AbortSignal },
): Promise<CompressedDump> {
  const { signal, workFolder } = context;
  const plain = await openKernelPipe(workFolder, 'dumped');
  const observed = await openKernelPipe(workFolder, 'observed').catch((error: unknown) => {
    plain.close();
    throw error;
  });
  try {
    // From the end to the beginning: whoever reads is there before anything is written.
    const zstd = { program: programs.zstd, args: compressArguments() };
    const compressor = startTool({ ...zstd, stdin: observed.readEnd, stdout: 'pipe' }, signal);
    const counting = { stdin: plain.readEnd, stdout: observed.writeEnd, side: true };
    const observer = startTool({ ...observerCommand(programs.perl), ...counting }, signal);
    const dump = startTool({ ...tool, stdin: 'none', stdout: plain.writeEnd }, signal);
    if (compressor.stdout === null || observer.side === null) throw new Error('A child was started without its pipes.');
    const observation = observe(observer.side);
    const ends = Promise.all([dump.ended, observer.ended, compressor.ended, observation.seen]);
    return {
      compressed: compressor.stdout,
      plainBytes: observation.bytesSoFar,
      ended: ends.then(([toolEnd, observerEnd, compressorEnd, seen]) => ({
        tool: toolEnd,
        observer: observerEnd,
        compressor: compressorEnd,
        plain: seen,
      })),
    };
  } finally {
    plain.close();
    observed.close();
  }
}
