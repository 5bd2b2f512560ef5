import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
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
    const folder = join(root, name);
    if (pid > 0 && (pid === process.pid ? await isOlderThanUs(folder) : !isAlive(pid))) {
      await rm(folder, { recursive: true, force: true }).catch(unlessAnothers);
    }
  }
}

/** A folder of another user of this machine is not ours to remove. */
function unlessAnothers(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EACCES' && error.code !== 'EPERM') throw error;
}

/** In a container that is started again the process has the id of the one that was killed. */
async function isOlderThanUs(folder: string): Promise<boolean> {
  const stats = await stat(folder).catch(() => undefined);
  return stats !== undefined && stats.mtimeMs < Date.now() - process.uptime() * 1000;
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
