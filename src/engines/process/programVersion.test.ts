import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { groupIsAlive } from '../../../test/fixtures/processes/childProcesses.js';
import { until } from '../../../test/fixtures/until.js';
import { programVersion, versionNumber, versionNumbers } from './programVersion.js';
import { systemTools } from './tools.js';

describe('The version of a tool', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-versions-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function tool(name: string, script: string): Promise<string> {
    const program = join(folder, name);
    await writeFile(program, `#!/bin/sh\n${script}\n`);
    await chmod(program, 0o755);
    return program;
  }

  test('is read again only after its file has changed', async () => {
    const program = await tool('known', 'echo "$0 1.2.3"; echo more; echo asked >> "$0.asked"');
    for (let times = 0; times < 2; times += 1) expect(await programVersion(program, systemTools)).toBe('1.2.3');
    expect(await readFile(`${program}.asked`, 'utf8')).toBe('asked\n');
    await tool('known', 'echo "$0 1.2.4 of today"');
    expect(await programVersion(program, systemTools)).toBe('1.2.4 of today');
  });

  test.each([
    ['mariadb-dump from 11.4.2-MariaDB, client 10.19 for debian-linux-gnu (x86_64)', '11.4.2'],
    ['Ver 10.19 Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)', '10.11.19'],
    ['*** Zstandard CLI (64-bit) v1.5.4, by Yann Collet ***', '1.5.4'],
    ['pg_dump (PostgreSQL) 15.6 (Debian 15.6-0+deb12u1)', '15.6'],
    ['of today', 'of today'],
  ])('of %p is %s', (output, version) => {
    expect(versionNumber(output)).toBe(version);
  });

  test('in the list of a worker is a number, not all output of the tool', async () => {
    const dump = await tool('some-dump', 'echo "$0 from 11.4.2-Some, client 10.19 for somewhere"');
    const zstd = await tool('zstd', 'echo "*** Zstandard CLI (64-bit) v1.5.4, by somebody ***"');
    expect(await versionNumbers({ 'some-dump': dump, zstd }, systemTools)).toEqual({
      'some-dump': '11.4.2',
      zstd: '1.5.4',
    });
  });

  test('is TOOL_FAILED with the output of the tool if the tool does not print a version', async () => {
    const program = await tool('broken', 'echo "no such library" >&2; exit 127');
    const failure = { code: 'TOOL_FAILED', toolOutput: expect.stringContaining('no such library') as unknown };
    await expect(programVersion(program, systemTools)).rejects.toMatchObject(failure);
  });

  test('is no longer awaited after the job is cancelled, and the program has ended then', async () => {
    const program = await tool('silent', 'echo $$ > "$0.new"; mv "$0.new" "$0.pid"; exec sleep 30');
    const job = new AbortController();
    const pending = programVersion(program, systemTools, job.signal);
    const ended = expect(pending).rejects.toThrow('cancelled');
    await until(() => existsSync(`${program}.pid`), 'the program runs');
    const pid = Number(await readFile(`${program}.pid`, 'utf8'));
    job.abort(new Error('cancelled'));
    await ended;
    expect(groupIsAlive(pid)).toBe(false);
  });
});
