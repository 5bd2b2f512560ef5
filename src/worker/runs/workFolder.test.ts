import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execFile, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { eachOnSmallDisk } from '../../../test/fixtures/eachOnSmallDisk.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { mountsMissing } from '../../../test/fixtures/smallDisk.js';
import { inWorkFolder, removeAbandonedWorkFolders } from './workFolder.js';

describe('The work folder of a killed worker', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'stowage-folders-'));
  });
  afterEach(() => rm(root, { recursive: true }));

  /** A folder like that of a run, created by the process `pid` and last written to at `at`. */
  async function leftBy(pid: number, at: Date): Promise<string> {
    const named = await inWorkFolder(root, (folder) => Promise.resolve(basename(folder)));
    const name = named.replace(`-${process.pid}-`, `-${pid}-`);
    await mkdir(join(root, name));
    await utimes(join(root, name), at, at);
    return name;
  }

  test('is removed, even if this process has the same id; folders in use stay', async () => {
    const { pid: endedPid } = spawnSync('true');
    const beforeUs = new Date(Date.now() - process.uptime() * 1000 - 60_000);
    await leftBy(endedPid, new Date());
    await leftBy(process.pid, beforeUs);
    const parents = await leftBy(process.ppid, beforeUs);
    await inWorkFolder(root, async (ours) => {
      await removeAbandonedWorkFolders(root);
      expect((await readdir(root)).sort()).toEqual([parents, basename(ours)].sort());
    });
  });
});

describeWith({ mounts: mountsMissing }, 'A work folder on a disk that is full', () => {
  const disk = eachOnSmallDisk();
  const noRoom = { code: 'UNAVAILABLE', retriable: true, message: expect.stringContaining('no space left') };
  const write = () => inWorkFolder(disk().folder, (folder) => writeFile(join(folder, 'login.cnf'), 'password=x'));
  const makePipe = () =>
    inWorkFolder(disk().folder, async (folder) => {
      await promisify(execFile)('mkfifo', [join(folder, 'dumped.pipe')], { env: { PATH: process.env['PATH'] } });
    });

  test('is reported to have no space, and no file is left in it', async () => {
    await disk().fill();
    await expect(write()).rejects.toMatchObject(noRoom);
    expect(await disk().entries()).toEqual([]);
  });

  test('that accepts no more folders, files or pipes is reported', async () => {
    await disk().takeInodes(1);
    await expect(write()).rejects.toMatchObject(noRoom);
    await expect(makePipe()).rejects.toMatchObject(noRoom);
    await disk().free();
    await disk().takeInodes(0);
    await expect(write()).rejects.toMatchObject(noRoom);
    expect(await disk().entries()).toEqual([]);
    await disk().free();
    await write();
    await makePipe();
  });
});
