import { describe, expect, test } from '@jest/globals';
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../../../test/fixtures/until.js';
import { findProgram } from '../process/programs.js';

/** The number of pipelines that pipelineProcess.ts starts. Each has three processes. */
const pipelines = 12;
// Only Linux has the parent-death signal that these tests check.
const isHere = process.platform === 'linux' && findProgram('setpriv') !== undefined;

(isHere ? describe : describe.skip)('No process of a pipeline outlives a worker', () => {
  // The kill may happen between two forks, between fork and exec, or when all processes run. The exact point is random.
  test.each([0, 5, 20, 45, 80, Infinity])('that is killed %d ms after it began to start them', async (afterMs) => {
    const folder = await mkdtemp(join(tmpdir(), 'stowage-killed-'));
    const worker = start('pipelineProcess.ts', [folder]);
    try {
      const lines = linesOf(worker);
      expect(await lines.next()).toMatchObject({ value: 'starting' });
      if (afterMs < Infinity) await pause(afterMs);
      else {
        expect(await lines.next()).toMatchObject({ value: 'started' });
        await until(() => holdersOf(folder) === 1 + 3 * pipelines, 'every process of every pipeline runs');
      }
    } finally {
      await kill(worker);
    }
    await until(() => holdersOf(folder) === 0, 'no process holds a pipe of the dead worker');
    await rm(folder, { recursive: true });
  });

  test.each([1, 2, 3])('that is killed before its child has requested the parent-death signal (%d)', async () => {
    const seconds = String(600 + Math.random());
    const worker = start('toolProcess.ts', ['/bin/sleep', seconds], { TOOL_STATE: 'frozen' });
    const { value } = (await linesOf(worker).next()) as { value: string };
    await kill(worker);
    const frozen = Number(value);
    try {
      if (isThere(frozen)) process.kill(frozen, 'SIGCONT');
      await until(() => !isThere(frozen), 'the child has ended');
    } finally {
      if (isThere(frozen)) process.kill(frozen, 'SIGKILL');
    }
  });
});

type Started = ChildProcessByStdio<null, Readable, null>;

function start(fixture: string, args: readonly string[], environment: Record<string, string> = {}): Started {
  return spawn(
    process.execPath,
    ['--import', '@swc-node/register/esm-register', `test/fixtures/processes/${fixture}`, ...args],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: process.env['PATH'], NODE_NO_WARNINGS: '1', ...environment },
    },
  );
}

function linesOf(worker: Started): AsyncIterator<string> {
  return createInterface(worker.stdout)[Symbol.asyncIterator]();
}

async function kill(worker: Started): Promise<void> {
  const exited = once(worker, 'exit');
  worker.kill('SIGKILL');
  await exited;
}

/** A zombie process counts as ended. */
function isThere(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z /s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** How many processes have a file below this folder open, including files that were unlinked since. */
function holdersOf(folder: string): number {
  return readdirSync('/proc').filter((entry) => /^\d+$/.test(entry) && openedBy(entry).some(isBelow(folder))).length;
}

function isBelow(folder: string): (path: string) => boolean {
  return (path) => path.startsWith(`${folder}/`);
}

function openedBy(pid: string): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((descriptor) => linkOf(`/proc/${pid}/fd/${descriptor}`));
  } catch {
    return [];
  }
}

function linkOf(path: string): readonly string[] {
  try {
    return [readlinkSync(path)];
  } catch {
    return [];
  }
}
