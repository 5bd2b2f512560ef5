import { execFile } from 'node:child_process';
import { closeSync, constants, openSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { requireProgram } from './programs.js';

/** Both ends of a pipe of the kernel, as file descriptors to hand to children. */
export type KernelPipe = {
  readonly readEnd: number;
  readonly writeEnd: number;
  /** Closes our own copies. Call it once both children were started: only then does each see the other's end. */
  close(): void;
  /** The read end, which `close` leaves open from here on: for a pipe from a child to us. */
  takeReadEnd(): number;
};

/**
 * A pipe between two children that bytes pass without touching JavaScript, or from a child to us. Node has no pipe(2), and its 'pipe' stdio is
 * a socket, so a FIFO is made in `folder`, opened at both ends by us (read-write first, which never waits for the other
 * side: fifo(7)), and unlinked at once. No child ever opens it by name, so none can hang in open() because another died.
 */
export async function openKernelPipe(folder: string, name: string): Promise<KernelPipe> {
  const path = join(folder, `${name}.pipe`);
  const mkfifo = requireProgram('mkfifo', 'coreutils');
  await promisify(execFile)(mkfifo, ['-m', '600', path], { env: {}, timeout: 10_000 });
  const opened = new Set<number>();
  const open = (flags: number): number => {
    const descriptor = openSync(path, flags);
    opened.add(descriptor);
    return descriptor;
  };
  const close = () => {
    for (const descriptor of opened) closeSync(descriptor);
    opened.clear();
  };
  try {
    const both = open(constants.O_RDWR | constants.O_NONBLOCK);
    const readEnd = open(constants.O_RDONLY);
    const writeEnd = open(constants.O_WRONLY);
    closeSync(both);
    opened.delete(both);
    const takeReadEnd = () => {
      opened.delete(readEnd);
      return readEnd;
    };
    return { readEnd, writeEnd, close, takeReadEnd };
  } catch (error) {
    close();
    throw error;
  } finally {
    unlinkSync(path);
  }
}
