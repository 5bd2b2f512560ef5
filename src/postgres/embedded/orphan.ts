import { execFile } from 'node:child_process';
import { readFile, readlink, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { StowageError } from '../../errors.js';

/**
 * Stops a server that a killed process left running on this data folder. Removes a pid file that names another process:
 * PostgreSQL refuses to start while a process has that id. The caller must hold the lock on the folder.
 */
export async function endOrphan(dataFolder: string): Promise<void> {
  const pidFile = join(dataFolder, 'postmaster.pid');
  const content = await readFile(pidFile, 'utf8').catch(() => undefined);
  if (content === undefined) return;
  const pid = Number.parseInt(content, 10);
  if (!(pid > 0) || !(await isServerOf(dataFolder, pid))) {
    await rm(pidFile, { force: true });
    return;
  }
  if (await endsWith(pid, 'SIGINT', 20_000)) return;
  if (await endsWith(pid, 'SIGQUIT', 5_000)) return;
  throw new StowageError('UNAVAILABLE', `PostgreSQL (process ${pid}) still runs on '${dataFolder}' and does not end.`, {
    help: `End process ${pid} yourself, then start again.`,
  });
}

async function isServerOf(dataFolder: string, pid: number): Promise<boolean> {
  // The working directory of a PostgreSQL server is its data folder.
  if (process.platform === 'linux') return (await readlink(`/proc/${pid}/cwd`).catch(() => '')) === dataFolder;
  const command = await promisify(execFile)('ps', ['-p', String(pid), '-o', 'command=']).catch(() => ({ stdout: '' }));
  return command.stdout.includes(dataFolder);
}

/** The process is not our child, so its end is found by polling. */
async function endsWith(pid: number, signal: NodeJS.Signals, withinMs: number): Promise<boolean> {
  const until = Date.now() + withinMs;
  for (let next: NodeJS.Signals | 0 = signal; ; next = 0) {
    try {
      process.kill(pid, next);
    } catch {
      return true;
    }
    if (await isZombie(pid)) return true;
    if (Date.now() > until) return false;
    await delay(50);
  }
}

/** A zombie has ended, but its parent has not read its exit status. It is still listed and accepts signals. */
async function isZombie(pid: number): Promise<boolean> {
  if (process.platform !== 'linux') return false;
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  // The name before the state is in parentheses, and may contain parentheses itself.
  return /^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
}
