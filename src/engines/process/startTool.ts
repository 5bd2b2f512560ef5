import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import type { Secret } from '../../secret.js';
import type { RunningTool, ToolEnd } from './runningTool.js';
import { collectLastLines } from './lastLines.js';
import type { OutputFilter } from './outputFilter.js';
import { childPath, findProgram } from './programs.js';

export type ToolCommand = {
  /** Absolute. */
  readonly program: string;
  /** Never a secret: every user of the machine can read them. */
  readonly args: readonly string[];
  /** A descriptor is handed on; `pipe` is a stream of ours; `none` is /dev/null. */
  readonly stdin: number | 'pipe' | 'none';
  readonly stdout: number | 'pipe' | 'none';
  /** Gives the child a descriptor 3 to write to, which `side` reads. */
  readonly side?: boolean;
  /** What must not appear in `lastLines`. */
  readonly secrets?: readonly Secret[];
  /** Takes what may be the customer's data out of all that it prints. One for each start. */
  readonly filter: OutputFilter;
  /** Each line of standard error, cleared of secrets and of data. */
  readonly onLine?: (line: string) => void;
};

export type StartedTool = RunningTool & {
  readonly pid: number | undefined;
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly side: Readable | null;
};

/** How long a tool may take to end by itself after SIGTERM. */
const graceMs = 1_000;

/**
 * Starts a program without a shell, as the head of its own process group, with a cleared environment, to be killed by
 * the kernel should we die. When the signal aborts the group gets SIGTERM, and SIGKILL 1 s later. Throws the signal's
 * reason if it has aborted before; how the program ends, even that it could not be started, is data.
 */
export function startTool(command: ToolCommand, signal: AbortSignal): StartedTool {
  signal.throwIfAborted();
  const [program, ...args] = [...diesWithUs(), command.program, ...command.args];
  const child = spawn(program ?? command.program, args, {
    stdio: [stdio(command.stdin), stdio(command.stdout), 'pipe', command.side === true ? 'pipe' : 'ignore'],
    detached: true,
    env: { PATH: childPath, LC_ALL: 'C' },
    cwd: '/',
  });
  const side = child.stdio[3];
  // A stream that breaks because the child is gone says nothing that its end does not say better.
  for (const stream of [child.stdin, child.stdout, child.stderr, side]) stream?.on('error', () => undefined);
  return {
    pid: child.pid,
    stdin: child.stdin,
    stdout: child.stdout,
    side: side !== null && side !== undefined && 'read' in side ? side : null,
    ended: ended(child, command, signal),
  };
}

async function ended(child: ChildProcess, command: ToolCommand, signal: AbortSignal): Promise<ToolEnd> {
  const said = collectLastLines(command.secrets ?? [], command.filter, command.onLine);
  child.stderr?.on('data', (chunk: Buffer) => said.add(chunk));
  const saidAll = child.stderr === null ? Promise.resolve() : once(child.stderr, 'close');
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
    await Promise.race([saidAll, wait(graceMs, undefined, { ref: false })]);
    return { ...end, lastLines: said.finish() };
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

/** What the head left running in its group ends with it. */
async function groupGone(pid: number | undefined): Promise<void> {
  for (let tries = 0; signalGroup(pid, 'SIGKILL') && tries < 250; tries++) await wait(20);
}

/** False: there is nobody left in the group. */
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
 * util-linux's setpriv sets the parent-death signal (prctl(2)) and becomes the next program. Whoever lost its parent
 * before that would never get the signal: the shell looks who the parent is then, and only becomes the program if it is
 * still us. What it runs is fixed; program and arguments are handed on as they are. Elsewhere: said once.
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

function stdio(choice: number | 'pipe' | 'none'): number | 'pipe' | 'ignore' {
  return choice === 'none' ? 'ignore' : choice;
}
