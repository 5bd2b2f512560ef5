import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { childrenNamed } from '../../../test/fixtures/processes/childProcesses.js';
import type { StowageError } from '../../errors.js';
import { plainOutput } from '../process/outputFilter.js';
import { systemTools } from '../process/tools.js';
import { openDumpPipeline } from './dumpPipeline.js';
import { judgeDump, judgeRestore } from './judgePipeline.js';
import type { StepBytes } from './pipelineStep.js';
import { startRestorePipeline } from './restorePipeline.js';
import type { StoredStep } from './storedStep.js';
import { stepsOf } from './storedSteps.js';
import { zstd as zstdOf } from './zstd.js';

const zstd = zstdOf('BALANCED');

/**
 * Changes every byte, as a cipher does, and reports the bytes that it read and wrote. `perl` changes `$_`, which holds
 * 64 KiB.
 */
function scrambling({ perl = '', reports = true } = {}): StoredStep {
  const source = String.raw`binmode STDIN; binmode STDOUT; my ($in, $out) = (0, 0);
    while (sysread(STDIN, $_, 65536)) { $in += length; $_ ^= "\xff" x length; ${perl};
      $out += length; print STDOUT $_ }
    close STDOUT; print STDERR "passed $in $out\n" if ${reports ? 1 : 0};`;
  const step = () => {
    let total: StepBytes = { read: undefined, written: undefined };
    return {
      ...{ title: 'The cipher', needs: 'a cipher that reports', program: '/usr/bin/perl', args: ['-e', source] },
      reportsOn: 'STDERR' as const,
      onLine: (line: string) => {
        const [, read, written] = /^passed (\d+) (\d+)$/.exec(line) ?? [];
        if (read !== undefined) total = { read: Number(read), written: Number(written) };
      },
      total: () => total,
    };
  };
  return {
    name: 'scrambled',
    suffix: '.scrambled',
    undoByHand: 'unscramble',
    undoByHandNeeds: '',
    apply: step,
    undo: step,
  };
}

describe('A pipeline of several steps', () => {
  let workFolder: string;
  const { signal } = new AbortController();
  beforeAll(async () => {
    workFolder = await mkdtemp(join(tmpdir(), 'stowage-steps-'));
  });
  afterAll(async () => {
    expect(childrenNamed('perl', 'zstd', 'sh', 'cat')).toEqual([]);
    await rm(workFolder, { recursive: true });
  });

  async function dump(
    steps: readonly StoredStep[],
    script = 'seq 1 200000',
  ): Promise<{ readonly bytes: Buffer; readonly failure: StowageError | null; readonly writtenBytes: number }> {
    const pipeline = await openDumpPipeline({ workFolder, signal, tools: systemTools, steps });
    const tool = { program: '/bin/sh', args: ['-c', script], secrets: [], filter: plainOutput() };
    const running = await pipeline.run(tool, { signal });
    const chunks: Buffer[] = [];
    for await (const chunk of running.stored) chunks.push(Buffer.from(chunk));
    const end = await running.ended;
    const writtenBytes = end.steps.at(-1)?.step.total().written ?? 0;
    return { bytes: Buffer.concat(chunks), writtenBytes, failure: judgeDump(end, 'seq', () => null) };
  }

  async function restore(steps: readonly StoredStep[], bytes: Buffer) {
    const file = join(workFolder, 'restored');
    const tool = { program: '/bin/sh', args: ['-c', `cat > '${file}'`], secrets: [], filter: plainOutput() };
    const running = await startRestorePipeline(tool, { workFolder, signal, tools: systemTools, steps });
    running.stored.on('error', () => undefined);
    running.stored.end(bytes);
    const failure = judgeRestore(await running.ended, () => null);
    return { failure, text: await readFile(file, 'utf8') };
  }

  const numbers = Array.from({ length: 200_000 }, (_, index) => `${index + 1}\n`).join('');

  test.each([[[]], [[zstd]], [[zstd, scrambling()]], [[scrambling(), zstd, scrambling()]]])(
    'stores the bytes after all steps, and undoes the steps from the last to the first',
    async (steps) => {
      const { bytes, failure, writtenBytes } = await dump(steps);
      expect(failure).toBeNull();
      expect(writtenBytes).toBe(bytes.length);
      expect(await restore(steps, bytes)).toEqual({ failure: null, text: numbers });
    },
  );

  test('a smaller compression stores fewer bytes, and one decompressor reads all of them', async () => {
    const text = join(import.meta.dirname, '../../../package-lock.json');
    const sizes: number[] = [];
    for (const compression of ['FAST', 'BALANCED', 'SMALL'] as const) {
      const { bytes, failure } = await dump(stepsOf(compression), `cat '${text}'`);
      expect(failure).toBeNull();
      expect((await restore(stepsOf('BALANCED'), bytes)).text).toBe(await readFile(text, 'utf8'));
      sizes.push(bytes.length);
    }
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
    expect(new Set(sizes).size).toBe(3);
  });

  test('detects a byte that is lost between two steps', async () => {
    const losing = scrambling({ perl: '$_ = substr($_, 1); $in -= 1' });
    const { failure } = await dump([losing, zstd]);
    expect(failure).toMatchObject({
      ...{ code: 'INCOMPLETE_DUMP', retriable: true },
      message: expect.stringMatching(/^The cipher read \d+ bytes of the 1288895 that the step before it wrote\.$/),
    });
  });

  test('refuses a step that does not report its bytes', async () => {
    expect((await dump([scrambling({ reports: false })])).failure).toMatchObject({
      ...{ code: 'TOOL_VERSION', help: 'Install a cipher that reports on the worker.' },
      message: 'The cipher did not report how much it read and wrote.',
    });
  });

  test('reports the last step that failed as the cause, also in a restore', async () => {
    const dying = scrambling({ perl: 'kill KILL => $$' });
    const killed = { code: 'TOOL_FAILED', message: 'The cipher was killed by SIGKILL.' };
    expect((await dump([dying, zstd])).failure).toMatchObject(killed);
    const { bytes } = await dump([zstd, scrambling()]);
    expect((await restore([zstd, dying], bytes)).failure).toMatchObject({ code: 'TOOL_FAILED' });
  });

  test('detects a byte that is lost in a restore', async () => {
    const { bytes } = await dump([zstd]);
    const losing: StoredStep = {
      ...scrambling(),
      undo: () => scrambling({ perl: '$_ ^= "\\xff" x length; $_ = substr($_, 1); $out += 1' }).undo(systemTools),
    };
    expect((await restore([losing, zstd], bytes)).failure).toMatchObject({
      message: expect.stringMatching(
        /^The process that counts the dump read \d+ bytes of the 1288895 that the step before it wrote\.$/,
      ),
    });
  });

  test('reports a dump of nothing as empty', async () => {
    expect((await dump([zstd], ':')).failure).toMatchObject({
      code: 'EMPTY_DUMP',
      message: 'seq wrote no bytes.',
    });
  });
});
