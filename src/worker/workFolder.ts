import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

/** Of this machine: beside a shared folder for temporary files process ids say nothing about those of others. */
const ofThisMachine = `stowage-run-${hostname().replace(/[^A-Za-z0-9.-]/g, '')}-`;

/** A folder for one run alone, 0700, with whatever is in it gone afterwards. */
export async function inWorkFolder<T>(root: string, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(root, `${ofThisMachine}${process.pid}-`));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Removes what runs of killed workers left: there may be passwords in it. */
export async function removeAbandonedWorkFolders(root: string): Promise<void> {
  for (const name of await readdir(root)) {
    if (!name.startsWith(ofThisMachine)) continue;
    const pid = Number(/^(\d+)-/.exec(name.slice(ofThisMachine.length))?.[1]);
    if (pid > 0 && !isAlive(pid)) await rm(join(root, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another user's process is alive as well.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
