import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StowageError } from '../../errors.js';

/**
 * Locks a folder for one process of this machine. The lock is a listening socket, so it ends with the process, and no
 * stale lock remains. Returns a function that unlocks the folder. Throws CONFLICT while another process holds the lock.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const name = `stowage-${createHash('sha256').update(folder).digest('hex').slice(0, 32)}`;
  // Linux has abstract socket names. On other systems the socket is a file, which may remain after a crash.
  const path = process.platform === 'linux' ? `\0${name}` : join(tmpdir(), `${name}.sock`);
  const server = createServer((socket) => socket.destroy()).unref();
  const tryToListen = () =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(path, resolve);
    });
  try {
    await tryToListen().catch(async (error: unknown) => {
      if (process.platform === 'linux' || (await answers(path))) throw error;
      await rm(path, { force: true });
      await tryToListen();
    });
  } catch (error) {
    throw new StowageError('CONFLICT', `The folder '${folder}' is in use by another running Stowage.`, {
      help: 'Stop it first, or choose another folder with STOWAGE_DATA.',
      cause: error,
    });
  }
  return () => new Promise((resolve) => server.close(() => resolve()));
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path, () => {
      socket.destroy();
      resolve(true);
    }).once('error', () => resolve(false));
  });
}
