import { availableParallelism } from 'node:os';
import { requireProgram } from '../process/programs.js';
import type { PipelineStep, StepBytes } from './pipelineStep.js';
import type { Compression } from '../compression.js';
import type { StoredStep } from './storedStep.js';
import type { Tools } from '../process/tools.js';

const needs = 'zstd 1.4 or newer';

/** What each level costs is in docs/decisions/0011-compression.md. A decompressor needs no level. */
const levels: Readonly<Record<Compression, number>> = { FAST: 1, BALANCED: 3, SMALL: 6 };

/**
 * zstd with the frame checksum that `zstd -d` verifies. On two cores a second thread would only take time from the dump
 * tool and the server. `-vv` makes zstd report the bytes that it read and wrote.
 */
export function zstd(compression: Compression): StoredStep {
  const options = [`-${levels[compression]}`, `-T${availableParallelism() > 2 ? 2 : 1}`];
  return {
    name: 'zstd',
    suffix: '.zst',
    undoByHand: 'zstd -d',
    undoByHandNeeds: needs,
    apply: (tools) =>
      zstdStep('The compressor zstd', [...options, '--check', '-vv', '--no-progress', '--stdout'], tools),
    undo: (tools) => zstdStep('The decompressor zstd', ['--decompress', '-v', '--no-progress', '--stdout'], tools),
  };
}

function zstdStep(title: string, args: readonly string[], tools: Tools): PipelineStep {
  let total: StepBytes = { read: undefined, written: undefined };
  return {
    title,
    needs,
    program: requireProgram('zstd', 'zstd', tools.folders),
    args,
    reportsOn: 'STDERR',
    onLine: (line) => {
      total = zstdTotal(line) ?? total;
    },
    total: () => total,
  };
}

/**
 * Parses zstd's closing line. A compressor writes `(stdin) : 24.16% (10000001 B => 2415003 B, (stdout))`, before zstd
 * 1.5 `(10000001 => 2415003 bytes, …`. A decompressor writes `(stdin) : 10000001 bytes`. Undefined for any other line,
 * and if the figures are rounded.
 */
export function zstdTotal(line: string): StepBytes | undefined {
  const [, read, written] = /\(\s*(\d+)(?: B)? =>\s*(\d+) (?:B|bytes),/.exec(line) ?? [];
  if (read !== undefined) return { read: Number(read), written: Number(written) };
  const [, decompressed] = /:\s*(\d+) bytes\s*$/.exec(line) ?? [];
  return decompressed === undefined ? undefined : { read: undefined, written: Number(decompressed) };
}
