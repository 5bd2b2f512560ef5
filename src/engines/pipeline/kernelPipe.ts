import { execFile } from 'node:child_process';
import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { requireProgram } from '../process/programs.js';

/** Pipes of the kernel, each by its position, with both ends as file descriptors to pass to children. */
export type KernelPipes = {
  readEnd(place: number): number;
  writeEnd(place: number): number;
  /** Takes the read end of a pipe from a child to us. After that, `close` leaves it open. */
  takeReadEnd(place: number): number;
  /**
   * Closes our own copies. Call it after the children were started. Otherwise a child would not notice that the other
   * end was closed.
   */
  close(): void;
};

/**
 * Pipes between two children, whose bytes do not enter JavaScript, or from a child to us. Node has no pipe(2), and its
 * 'pipe' stdio is a socket, so this uses FIFOs. One mkfifo creates them in `folder`. We open both ends (read-write
 * first, which never waits for the other side: fifo(7)) and unlink the FIFOs at once. No child ever opens a FIFO by
 * name, so no child can hang in open() because another one has ended.
 */
export async function openKernelPipes(folder: string, count: number): Promise<KernelPipes> {
  const paths = Array.from({ length: count }, (_, place) => join(folder, `${place}.pipe`));
  const mkfifo = requireProgram('mkfifo', 'coreutils');
  const opened: KernelPipe[] = [];
  const close = () => {
    for (const pipe of opened) pipe.close();
  };
  const at = (place: number): KernelPipe => {
    const pipe = opened[place];
    if (pipe === undefined) throw new Error(`There is no pipe ${place}.`);
    return pipe;
  };
  try {
    await promisify(execFile)(mkfifo, ['-m', '600', ...paths], { env: {}, timeout: 10_000 });
    for (const path of paths) opened.push(openBothEnds(path));
    return {
      readEnd: (place) => at(place).readEnd,
      writeEnd: (place) => at(place).writeEnd,
      takeReadEnd: (place) => at(place).takeReadEnd(),
      close,
    };
  } catch (error) {
    close();
    throw error;
  } finally {
    for (const path of paths) rmSync(path, { force: true });
  }
}

type KernelPipe = {
  readonly readEnd: number;
  readonly writeEnd: number;
  close(): void;
  takeReadEnd(): number;
};

function openBothEnds(path: string): KernelPipe {
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
  }
}
