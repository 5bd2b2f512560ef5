import type { Writable } from 'node:stream';
import type { Secret } from '../../secret.js';
import { openKernelPipes } from './kernelPipe.js';
import { plainOutput, type OutputFilter } from './outputFilter.js';
import type { PipelineEnd } from './pipelineEnd.js';
import { decompressArguments, type PipelinePrograms } from './pipelinePrograms.js';
import { observe, observerCommand } from './plainStream.js';
import { startTool } from './startTool.js';

export type CompressedRestore = {
  /** Of the tool; undefined where it could not be started. */
  readonly pid: number | undefined;
  /** Takes the stored bytes. Errors (the tools are gone) are told by `ended`. */
  readonly compressed: Writable;
  /** Plain bytes that the tool was handed so far, told once a second: for progress. */
  plainBytes(): number;
  /** Settles when all processes are gone. */
  readonly ended: Promise<PipelineEnd>;
};

/** `us → zstd -d → observer → tool`, connected by the kernel. */
export async function startCompressedRestore(
  tool: {
    readonly program: string;
    readonly args: readonly string[];
    readonly secrets: readonly Secret[];
    readonly filter: OutputFilter;
  },
  programs: PipelinePrograms,
  context: {
    readonly workFolder: string;
    readonly signal: AbortSignal;
    /** Called once the pipes are there; no process starts before it has resolved. */
    readonly mayStart?: () => Promise<unknown>;
  },
): Promise<CompressedRestore> {
  const { signal, workFolder, mayStart } = context;
  const { plain, observed } = await openKernelPipes(workFolder, ['plain', 'observed']);
  try {
    await mayStart?.();
    const restore = startTool({ ...tool, stdin: observed.readEnd, stdout: 'none' }, signal);
    const counting = { stdin: plain.readEnd, stdout: observed.writeEnd, side: true, filter: plainOutput() };
    const observer = startTool({ ...observerCommand(programs.perl), ...counting }, signal);
    const zstd = { program: programs.zstd, args: decompressArguments(), filter: plainOutput() };
    const decompressor = startTool({ ...zstd, stdin: 'pipe', stdout: plain.writeEnd }, signal);
    if (decompressor.stdin === null || observer.side === null) {
      throw new Error('A child was started without its pipes.');
    }
    const observation = observe(observer.side);
    const ends = Promise.all([restore.ended, observer.ended, decompressor.ended, observation.seen]);
    return {
      pid: restore.pid,
      compressed: decompressor.stdin,
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
