import { findProgram } from './programs.js';
import { asUid } from './toolUids.js';

/** A program that exceeds `dataBytes` gets no more memory, and usually ends (setrlimit(2), RLIMIT_DATA). */
export type ToolLimits = { readonly dataBytes: number; readonly openFiles: number };

/**
 * The command that becomes a program: under another uid, ended by the kernel together with this process, and within
 * limits. The order matters: a change of the uid clears the parent-death signal (prctl(2)). The kernel sends that signal
 * only if this process may signal the other uid (CAP_KILL).
 */
export function launch(
  command: readonly string[],
  uid: number | undefined,
  limits: ToolLimits | undefined,
): readonly string[] {
  return [...(uid === undefined ? [] : asUid(uid)), ...diesWithUs(), ...limitedBy(limits), ...command];
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
