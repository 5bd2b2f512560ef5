import { availableParallelism } from 'node:os';
import { requireProgram } from './programs.js';

/** The programs around a dump or restore tool. */
export type PipelinePrograms = { readonly zstd: string; readonly perl: string };

/** Throws TOOL_MISSING. `folders` are looked in before the system's. */
export function findPipelinePrograms(folders: readonly string[]): PipelinePrograms {
  requireProgram('mkfifo', 'coreutils');
  return { zstd: requireProgram('zstd', 'zstd', folders), perl: requireProgram('perl', 'perl-base', folders) };
}

/**
 * Level 3, with the frame checksum that `zstd -d` checks; a second thread where there is a core for it. `-vv` makes zstd
 * say at its end how many bytes it read and wrote, to the byte: see `CompressedSizes`.
 */
export function compressArguments(): readonly string[] {
  return ['-3', `-T${Math.min(2, availableParallelism())}`, '--check', '-vv', '--no-progress', '--stdout'];
}

export function decompressArguments(): readonly string[] {
  return ['--decompress', '--quiet', '--stdout'];
}
