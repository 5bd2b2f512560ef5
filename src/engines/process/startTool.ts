import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { Duplex, type Readable, type Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import type { Secret } from '../../secret.js';
import type { ToolEnd } from './toolEnd.js';
import { collectLastLines, type OnLine } from './lastLines.js';
import type { OutputFilter } from './outputFilter.js';
import { childPath, findProgram } from './programs.js';
import type { ToolFiles } from './toolFiles.js';

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
  /** Limits that the kernel keeps for the program, where util-linux's prlimit is installed. */
  readonly limits?: ToolLimits;
  /** Variables besides PATH and LC_ALL. Their values are no secrets. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Secrets that must not appear in `lastLines`. */
  readonly secrets?: readonly Secret[];
  /** Removes what may be data of a customer from all output of the program. Use a new filter for each start. */
  readonly filter: OutputFilter;
  /** Receives each line of standard error, without data. */
  readonly onLine?: OnLine;
};

/** A program that exceeds `dataBytes` gets no more memory, and usually ends (setrlimit(2), RLIMIT_DATA). */
export type ToolLimits = { readonly dataBytes: number; readonly openFiles: number };

/** The program runs as the head of its own process group. */
export type StartedTool = {
  /** Settles when the process and its group have ended. Never rejects. */
  readonly ended: Promise<ToolEnd>;
  readonly pid: number | undefined;
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly side: Duplex | null;
};

/** How long a tool may take to end by itself after SIGTERM. */
const graceMs = 1_000;

/**
 * Starts a program without a shell, as the head of its own process group, with a cleared environment. The kernel kills
 * it when this process dies. When the signal aborts, the group gets SIGTERM, and SIGKILL 1 s later. Throws the reason
 * of the signal if it has already aborted. The end of the program is returned as data, also if it could not be started.
 */
export function startTool(command: ToolCommand, signal: AbortSignal): StartedTool {
  signal.throwIfAborted();
  const [program, ...args] = [...diesWithUs(), ...limitedBy(command.limits), command.program, ...command.args];
  const child = spawnWith(command, program ?? command.program, args);
  // Without a free descriptor (EMFILE) Node creates no streams, and reports the error later.
  const [, , , side] = (child.stdio as ChildProcess['stdio'] | undefined) ?? [];
  // A stream breaks when the child has ended. `ended` reports that.
  for (const stream of [child.stdin, child.stdout, child.stderr, side]) stream?.on('error', () => undefined);
  return {
    pid: child.pid,
    stdin: streamOf(child.stdin),
    stdout: streamOf(child.stdout),
    side: side instanceof Duplex ? side : null,
    ended: ended(child, command, signal),
  };
}

function spawnWith(command: ToolCommand, program: string, args: readonly string[]): ChildProcess {
  const files = command.files?.open() ?? [];
  try {
    return spawn(program, args, {
      stdio: [stdio(command.stdin), stdio(command.stdout), 'pipe', command.side === true ? 'pipe' : 'ignore', ...files],
      detached: true,
      env: { ...command.environment, PATH: childPath, LC_ALL: 'C' },
      cwd: '/',
    });
  } finally {
    files.forEach((file) => closeSync(file));
  }
}

function streamOf<Stream>(stream: Stream | null | undefined): Stream | null {
  return stream ?? null;
}

async function ended(child: ChildProcess, command: ToolCommand, signal: AbortSignal): Promise<ToolEnd> {
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
    if ('notStarted' in end) return { exitCode: null, signal: null, lastLines: end.notStarted };
    await groupGone(child.pid);
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
  } catch {
    return false;
  }
}

let warnedOfNoSetpriv = false;

/**
 * util-linux's setpriv sets the parent-death signal (prctl(2)) and then runs the next program. A child whose parent
 * died before that call never gets the signal. So a shell checks that this process is still its parent before it runs
 * the program. The shell's script is a constant, and the program and its arguments are passed on unchanged. Without
 * setpriv a warning is emitted once.
 */
function diesWithUs(): readonly string[] {
  const setpriv = process.platform === 'linux' ? findProgram('setpriv') : undefined;
  const becomes = 'unset PWD; [ "$PPID" = "$0" ] && exec "$@"';
  if (setpriv !== undefined) {
    return [setpriv, '--pdeathsig', 'KILL', '--', '/bin/sh', '-c', becomes, String(process.pid)];
  }
  if (!warnedOfNoSetpriv) {
    warnedOfNoSetpriv = true;
    process.emitWarning(
      'There is no setpriv (util-linux) on this machine: dump tools may outlive a worker that is killed with SIGKILL.',
    );
  }
  return [];
}

/** The usual limit of Linux. */
const stackBytes = 8 * 1024 * 1024;

function limitedBy(limits: ToolLimits | undefined): readonly string[] {
  const prlimit = limits === undefined ? undefined : findProgram('prlimit');
  if (limits === undefined || prlimit === undefined) return [];
  // Thread stacks, which are as large as the limit of the stack, count as data.
  return [
    prlimit,
    `--data=${limits.dataBytes}`,
    `--stack=${stackBytes}`,
    `--nofile=${limits.openFiles}`,
    '--core=0',
    '--',
  ];
}

function stdio(choice: number | 'pipe' | 'none'): number | 'pipe' | 'ignore' {
  return choice === 'none' ? 'ignore' : choice;
}
