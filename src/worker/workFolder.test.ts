import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { inWorkFolder, removeAbandonedWorkFolders } from './workFolder.js';

describe('What a killed worker left in its work folder', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'stowage-folders-'));
  });
  afterEach(() => rm(root, { recursive: true }));

  /** A folder like that of a run, by a process of that id, last written to then. */
  async function leftBy(pid: number, at: Date): Promise<string> {
    const named = await inWorkFolder(root, (folder) => Promise.resolve(basename(folder)));
    const name = named.replace(`-${process.pid}-`, `-${pid}-`);
    await mkdir(join(root, name));
    await utimes(join(root, name), at, at);
    return name;
  }

  test('is removed, also where this process was given the same id; what others use stays', async () => {
    const { pid: gone } = spawnSync('true');
    const beforeUs = new Date(Date.now() - process.uptime() * 1000 - 60_000);
    await leftBy(gone, new Date());
    await leftBy(process.pid, beforeUs);
    const parents = await leftBy(process.ppid, beforeUs);
    await inWorkFolder(root, async (ours) => {
      await removeAbandonedWorkFolders(root);
      expect((await readdir(root)).sort()).toEqual([parents, basename(ours)].sort());
    });
  });
});
