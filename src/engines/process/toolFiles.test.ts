import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runTool } from '../../../test/fixtures/processes/runTool.js';
import { createToolFiles } from './toolFiles.js';

describe('The files of a tool', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-tool-files-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('can be read repeatedly under their paths, and have no name in the folder', async () => {
    const files = createToolFiles(folder);
    const [first, second] = [files.add('one\n'), files.add('two\n'.repeat(100_000))];
    const script = `cat ${first} ${first}; wc -l < ${second}; ls ${folder}`;
    const { stdout } = await runTool('/bin/sh', ['-c', script], { files });
    expect(stdout.split(/\s+/)).toEqual(['one', 'one', '100000', '']);
    expect(await readdir(folder)).toEqual([]);
  });

  test('do not stay open in the process that starts the tool', async () => {
    const open = () => readdir('/dev/fd').then(({ length }) => length);
    const before = await open();
    const files = createToolFiles(folder);
    files.add('text');
    await runTool('/bin/true', [], { files });
    expect(await open()).toBe(before);
  });

  test('are closed if one of them cannot be created', async () => {
    const files = createToolFiles(join(folder, 'missing'));
    files.add('text');
    await expect(runTool('/bin/true', [], { files })).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
