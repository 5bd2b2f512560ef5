import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Duplex, type Readable, type Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import type { Secret } from '../../secret.js';
import type { ToolEnd } from './toolEnd.js';
import { collectLastLines, type OnLine } from './lastLines.js';
import type { OutputFilter } from './outputFilter.js';
import { launch, type ToolLimits } from './launch.js';
import { childPath } from './programs.js';
import type { ToolFiles } from './toolFiles.js';
import type { Tools } from './tools.js';
import type { TakenUid } from './toolUids.js';

export type ToolCommand = {
  /** An absolute path. */
  readonly program: string;
  /** An argument is never a secret, because every user of the machine can read arguments. */
  readonly args: readonly string[];
  /** A descriptor is passed to the child; `pipe` is a stream of this process; `none` is /dev/null. */
  readonly stdin: number | 'pipe' | 'none';
  readonly stdout: number | 'pipe' | 'none';
  /** Gives the child a descriptor 3 to write to and to read from. `side` is its other end. */
  readonly side?: boolean;
  /** Files that only this program reads. */
  readonly files?: ToolFiles;
  /** Limits that the kernel enforces for the program, if util-linux's prlimit is installed. */
  readonly limits?: ToolLimits;
  /** Variables besides PATH and LC_ALL. Their values are no secrets. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Secrets that must not appear in `lastLines`. */
  readonly secrets?: readonly Secret[];
  /** Removes possible data of a customer from all output of the program. Use a new filter for each start. */
  readonly filter: OutputFilter;
  /** Receives each line of standard error, without data. */
  readonly onLine?: OnLine;
};

/** The program runs as the head of its own process group. */
export type StartedTool = {
  /** Settles when the process and its group have ended. Never rejects. */
  readonly ended: Promise<ToolEnd>;
  readonly pid: number | undefined;
  /** Undefined: that of this process. */
  readonly uid: number | undefined;
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly side: Duplex | null;
  /** Whether this process stays alive for the tool. It does, until this is called with false. */
  readonly keepsAlive: (wanted: boolean) => void;
};

/** The time limit for a tool to end after SIGTERM. */
const graceMs = 1_000;

/**
 * Starts a program without a shell, as the head of its own process group, with a cleared environment, under a uid of
 * `tools` if there are any. The kernel kills it when this process dies. When the signal aborts, the group gets SIGTERM,
 * and SIGKILL 1 s later. Throws the reason of the signal if it has already aborted. The end of the program is returned
 * as data, also if it could not be started.
 */
export function startTool(command: ToolCommand, tools: Tools, signal: AbortSignal): StartedTool {
  signal.throwIfAborted();
  const taken = tools.uids?.take();
  let child: ChildProcess;
  try {
    child = spawnAs(taken?.uid, command);
  } catch (error) {
    taken?.giveBack();
    throw error;
  }
  // Without a free descriptor (EMFILE) Node creates no streams, and reports the error later.
  const [, , , side] = (child.stdio as ChildProcess['stdio'] | undefined) ?? [];
  // Ignored, because a stream breaks when the child has ended, and `ended` reports that.
  for (const stream of [child.stdin, child.stdout, child.stderr, side]) stream?.on('error', () => undefined);
  return {
    pid: child.pid,
    uid: taken?.uid,
    stdin: streamOf(child.stdin),
    stdout: streamOf(child.stdout),
    side: side instanceof Duplex ? side : null,
    ended: ended(child, command, signal, taken),
    keepsAlive: (wanted) => keepAlive(child, wanted),
  };
}

/** The streams of a child are sockets, and hold the event loop like the child itself. */
function keepAlive(child: ChildProcess, wanted: boolean): void {
  for (const each of [child, ...((child.stdio as ChildProcess['stdio'] | undefined) ?? [])]) {
    const held = each as Partial<Pick<Socket, 'ref' | 'unref'>> | null | undefined;
    if (wanted) held?.ref?.();
    else held?.unref?.();
  }
}

function spawnAs(uid: number | undefined, command: ToolCommand): ChildProcess {
  const [program, ...args] = launch([command.program, ...command.args], uid, command.limits);
  const files = command.files?.open() ?? [];
  try {
    return spawn(program ?? command.program, args, {
      stdio: [stdio(command.stdin), stdio(command.stdout), 'pipe', command.side === true ? 'pipe' : 'ignore', ...files],
      detached: true,
      env: { ...command.environment, PATH: childPath, LC_ALL: 'C' },
      cwd: '/',
    });
  } finally {
    command.files?.close();
  }
}

function streamOf<Stream>(stream: Stream | null | undefined): Stream | null {
  return stream ?? null;
}

async function ended(
  child: ChildProcess,
  command: ToolCommand,
  signal: AbortSignal,
  taken: TakenUid | undefined,
): Promise<ToolEnd> {
  const output = collectLastLines(command.secrets ?? [], command.filter, command.onLine);
  child.stderr?.on('data', (chunk: Buffer) => output.add(chunk));
  const stderr = streamOf(child.stderr);
  const printedAll = stderr === null ? Promise.resolve() : once(stderr, 'close');
  let killer: NodeJS.Timeout | undefined;
  const stop = () => {
    signalGroup(child.pid, 'SIGTERM');
    killer = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), graceMs);
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    const end = await exit(child);
    if ('notStarted' in end) {
      taken?.giveBack();
      return { exitCode: null, signal: null, lastLines: end.notStarted };
    }
    await groupGone(child.pid);
    await taken?.release();
    await Promise.race([printedAll, wait(graceMs, undefined, { ref: false })]);
    return { ...end, lastLines: output.finish() };
  } finally {
    signal.removeEventListener('abort', stop);
    clearTimeout(killer);
  }
}

type Exit = { readonly exitCode: number | null; readonly signal: string | null } | { readonly notStarted: string };

function exit(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) resolve({ notStarted: `The program could not be started: ${error.message}` });
    });
    child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }));
  });
}

/** Ends the processes that the head left running in its group. */
async function groupGone(pid: number | undefined): Promise<void> {
  for (let tries = 0; signalGroup(pid, 'SIGKILL') && tries < 250; tries++) await wait(20);
}

/** False: the group no longer has a process. */
function signalGroup(pid: number | undefined, signal: NodeJS.Signals): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(-pid, signal);
    return true;
  } catch (error) {
    // EPERM: there is such a process, and it has another uid that we may not signal.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function stdio(choice: number | 'pipe' | 'none'): number | 'pipe' | 'ignore' {
  return choice === 'none' ? 'ignore' : choice;
}
