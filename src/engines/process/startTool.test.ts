import { describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Secret } from '../../secret.js';
import { plainOutput } from './outputFilter.js';
import { findProgram, requireProgram } from './programs.js';
import { startTool, type ToolCommand } from './startTool.js';
import { systemTools } from './tools.js';

const never = new AbortController().signal;
const shell = (script: string, more: Partial<ToolCommand> = {}): ToolCommand => ({
  program: '/bin/sh',
  args: ['-c', script],
  stdin: 'none',
  stdout: 'none',
  filter: plainOutput(),
  ...more,
});

describe('A tool', () => {
  test.each([
    ['ends well', 'exit 0', { exitCode: 0, signal: null }],
    ['fails', 'exit 7', { exitCode: 7, signal: null }],
    ['is killed', 'kill -KILL $$', { exitCode: null, signal: 'SIGKILL' }],
  ])('that %s reports it as data', async (_how, script, end) => {
    expect(await startTool(shell(script), systemTools, never).ended).toMatchObject(end);
  });

  test('that cannot be started reports it as data', async () => {
    const end = await startTool({ ...shell(''), program: '/no/such/program' }, systemTools, never).ended;
    expect(end.exitCode).not.toBe(0);
    expect(end.lastLines).toMatch(/no\/such\/program|not be started/);
  });

  test('is quoted with the last 4 KiB of its output, without secrets', async () => {
    const script =
      'i=0; while [ $i -lt 2000 ]; do echo "line $i of hunter2" >&2; i=$((i+1)); done; printf "the end" >&2';
    const { lastLines } = await startTool(shell(script, { secrets: [new Secret('hunter2')] }), systemTools, never)
      .ended;
    expect(Buffer.byteLength(lastLines)).toBeLessThanOrEqual(4096);
    expect(lastLines).toMatch(/line 1999 of \[secret\]\nthe end$/);
    expect(lastLines).not.toContain('hunter2');
  });

  test('is recognised by its words, even if a word contains a short secret', async () => {
    const lines: string[] = [];
    const understood: string[] = [];
    const { lastLines } = await startTool(
      shell(`echo "ERROR 1045: 'value' of a key" >&2`, {
        secrets: [new Secret('R'), new Secret('1045'), new Secret('value')],
        onLine: (line, unredacted) => {
          lines.push(line);
          understood.push(unredacted.reveal());
        },
      }),
      systemTools,
      never,
    ).ended;
    const shown = "E[secret][secret]O[secret] [secret]: '…'";
    expect({ lastLines, lines, understood }).toEqual({
      lastLines: shown,
      lines: [shown],
      understood: ["ERROR 1045: '…'"],
    });
  });

  test('is not started when the signal has aborted before', () => {
    const reason = new Error('too late');
    expect(() => startTool(shell('true'), systemTools, AbortSignal.abort(reason))).toThrow(reason);
  });

  // The parent-death signal is Linux's.
  (process.platform === 'linux' ? test : test.skip)('is killed by the kernel when this process is killed', async () => {
    const worker = spawn(
      process.execPath,
      ['--import', '@swc-node/register/esm-register', 'test/fixtures/processes/toolProcess.ts', '/bin/sleep', '600'],
      { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env['PATH'] } },
    );
    const [printed] = (await once(worker.stdout, 'data')) as [Buffer];
    const pid = Number(printed.toString());
    expect(isRunning(pid)).toBe(true);
    worker.kill('SIGKILL');
    await once(worker, 'exit');
    for (const end = performance.now() + 60_000; isRunning(pid) && performance.now() < end;) await nextTurn();
    expect(isRunning(pid)).toBe(false);
  });
});

describe('The search for a program', () => {
  test('names a missing program together with the package that contains it', () => {
    expect(() => requireProgram('no-such-tool', 'its-package')).toThrow(
      expect.objectContaining({ code: 'TOOL_MISSING', help: expect.stringContaining('apt-get install its-package') }),
    );
  });

  test('never uses a relative folder', () => {
    expect(findProgram('sh', ['.', 'bin'])).toMatch(/^\//);
  });
});

/** A zombie process counts as ended. */
function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z /s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
