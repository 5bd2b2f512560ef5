import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { StowageError } from '../../errors.js';

/**
 * Names this machine, because several machines may share the folder for temporary files, and a process id is valid only
 * on its own machine.
 */
const ofThisMachine = `stowage-run-${hostname().replace(/[^A-Za-z0-9.-]/g, '')}-`;

/**
 * Runs `work` with a folder of its own, mode 0700, and removes the folder afterwards. Throws UNAVAILABLE if the file
 * system has no space for the folder or its files.
 */
export async function inWorkFolder<T>(root: string, work: (folder: string) => Promise<T>): Promise<T> {
  try {
    const folder = await mkdtemp(join(root, `${ofThisMachine}${process.pid}-`));
    try {
      return await work(folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  } catch (error) {
    throw isOutOfRoom(error) ? noRoom(root, error) : error;
  }
}

/**
 * Whether the file system has no space left for the work folder, or for mkfifo in it. (A storage without space throws a
 * StowageError.)
 */
function isOutOfRoom(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || error instanceof StowageError) return false;
  if ('code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')) return true;
  return 'stderr' in error && /No space left on device|Disk quota exceeded/.test(String(error.stderr));
}

function noRoom(root: string, cause: unknown): StowageError {
  const where = `'${root}', where this worker keeps its temporary files`;
  return new StowageError('UNAVAILABLE', `The file system has no space left in ${where}.`, {
    help: 'Free space there, or inodes: `df` and `df -i` on the machine of the worker show the used space and inodes.',
    cause,
  });
}

/** Removes the folders of killed workers, which may hold passwords. */
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

/** Folders of other users of this machine cannot be removed. */
function unlessAnothers(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EACCES' && error.code !== 'EPERM') throw error;
}

/** In a restarted container, this process may have the id of the killed process. */
async function isOlderThanUs(folder: string): Promise<boolean> {
  const stats = await stat(folder).catch(() => undefined);
  return stats !== undefined && stats.mtimeMs < Date.now() - process.uptime() * 1000;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: the process belongs to another user, and is alive.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
