import { execFile } from 'node:child_process';
import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { requireProgram } from '../process/programs.js';

/** Pipes of the kernel, each by its place, with both ends as file descriptors to hand to children. */
export type KernelPipes = {
  readEnd(place: number): number;
  writeEnd(place: number): number;
  /** The read end of a pipe from a child to us: `close` leaves it open from here on. */
  takeReadEnd(place: number): number;
  /** Closes our own copies. Call it once the children were started: only then does each see the other's end. */
  close(): void;
};

/**
 * Pipes between two children that bytes pass without touching JavaScript, or from a child to us. Node has no pipe(2),
 * and its 'pipe' stdio is a socket, so FIFOs are made in `folder`, all by one mkfifo, opened at both ends by us
 * (read-write first, which never waits for the other side: fifo(7)), and unlinked at once. No child ever opens one by
 * name, so none can hang in open() because another died.
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
