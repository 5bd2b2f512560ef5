import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { openKernelPipes } from './kernelPipe.js';
import { plainOutput } from '../process/outputFilter.js';
import { PipeReader } from './pipeReader.js';
import { startTool, type StartedTool } from '../process/startTool.js';
import { systemTools } from '../process/tools.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stowage-pipe-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function reading(script: string): Promise<{ reader: PipeReader; tool: StartedTool }> {
  const pipe = await openKernelPipes(folder, 1);
  const command = { program: '/bin/sh', args: ['-c', script], stdin: 'none', stdout: pipe.writeEnd(0) } as const;
  const tool = startTool({ ...command, filter: plainOutput() }, systemTools, new AbortController().signal);
  const reader = new PipeReader(pipe.takeReadEnd(0));
  pipe.close();
  return { reader, tool };
}

describe('Reading a pipe', () => {
  test('returns every byte in order, all in the same memory, even if they are read slowly', async () => {
    const { reader, tool } = await reading('seq 1 500000');
    const digest = createHash('sha256');
    const memory = new Set<ArrayBufferLike>();
    for await (const chunk of reader) {
      if (memory.size === 0) for (let turn = 0; turn < 50; turn += 1) await nextTurn();
      memory.add(chunk.buffer);
      digest.update(chunk);
    }
    const whole = createHash('sha256');
    for (let line = 1; line <= 500_000; line += 1) whole.update(`${line}\n`);
    expect(digest.digest('hex')).toBe(whole.digest('hex'));
    expect(memory.size).toBe(1);
    expect(await tool.ended).toMatchObject({ exitCode: 0 });
  });

  test('ends when the writer dies; only the exit status of the writer shows the difference', async () => {
    const { reader, tool } = await reading('echo half; kill -KILL $$');
    const chunks: string[] = [];
    for await (const chunk of reader) chunks.push(Buffer.from(chunk).toString());
    expect(chunks.join('')).toBe('half\n');
    expect(await tool.ended).toMatchObject({ signal: 'SIGKILL' });
  });

  test('of a silent writer ends when the reader is destroyed, and this never looks like the end of the stream', async () => {
    const { reader, tool } = await reading('echo first; read never; exec yes');
    const iterator = reader[Symbol.asyncIterator]();
    await iterator.next();
    const waiting = iterator.next();
    reader.destroy();
    await expect(waiting).rejects.toThrow('closed before its end');
    expect((await tool.ended).signal).toBe('SIGPIPE');
  });

  test('closes the pipe when the reading stops early, so that the writer ends', async () => {
    const { reader, tool } = await reading('exec yes');
    for await (const _ of reader) break;
    expect((await tool.ended).signal).toBe('SIGPIPE');
  });
});
