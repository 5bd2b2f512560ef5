import { execFile } from 'node:child_process';
import { closeSync, constants, openSync, rmSync } from 'node:fs';
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
 * Pipes between two children that bytes pass without touching JavaScript, or from a child to us, one for each name. Node
 * has no pipe(2), and its 'pipe' stdio is a socket, so FIFOs are made in `folder`, all by one mkfifo, opened at both
 * ends by us (read-write first, which never waits for the other side: fifo(7)), and unlinked at once. No child ever
 * opens one by name, so none can hang in open() because another died.
 */
export async function openKernelPipes<Name extends string>(
  folder: string,
  names: readonly Name[],
): Promise<Readonly<Record<Name, KernelPipe>>> {
  const places = names.map((name) => ({ name, path: join(folder, `${name}.pipe`) }));
  const paths = places.map(({ path }) => path);
  const mkfifo = requireProgram('mkfifo', 'coreutils');
  const opened: KernelPipe[] = [];
  try {
    await promisify(execFile)(mkfifo, ['-m', '600', ...paths], { env: {}, timeout: 10_000 });
    const pipes = places.map(({ name, path }) => {
      const pipe = openBothEnds(path);
      opened.push(pipe);
      return [name, pipe] as const;
    });
    return Object.fromEntries(pipes) as Record<Name, KernelPipe>;
  } catch (error) {
    for (const pipe of opened) pipe.close();
    throw error;
  } finally {
    for (const path of paths) rmSync(path, { force: true });
  }
}

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
