import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { StowageError } from '../../errors.js';
import { findProgram, requireProgram } from './programs.js';

/** A range of uids. Each uid has a gid of the same number. The last one ends the processes of the others. */
export type UidRange = { readonly first: number; readonly last: number };

/** The uids under which tools run. Each tool has its own uid. */
export type ToolUids = {
  readonly range: UidRange;
  /** Takes a uid that no other tool has. Throws UNAVAILABLE if no uid is free. */
  take(): TakenUid;
};

export type TakenUid = {
  readonly uid: number;
  /** Gives the uid back after the tool could not be started. */
  giveBack(): void;
  /**
   * Gives the uid back after the tool has ended, and first ends every process that still runs under it, so that no
   * process of one tool can attack the next tool. A uid with a process that cannot be ended is not used again.
   */
  release(): Promise<void>;
};

/** No other process of the machine may use the uids: `release` would end it. */
export function createToolUids(range: UidRange): ToolUids {
  const free = Array.from({ length: sizeOf(range) - 1 }, (_, place) => range.first + place);
  let ending: Promise<unknown> = Promise.resolve();
  return {
    range,
    take() {
      // The uid that was free for the longest time.
      const uid = free.shift();
      if (uid === undefined) {
        throw new StowageError('UNAVAILABLE', 'Another tool runs under each uid of STOWAGE_TOOL_UIDS.', {
          help: 'Try again later. If it recurs, set STOWAGE_TOOL_UIDS to a larger range.',
        });
      }
      return {
        uid,
        giveBack: () => void free.push(uid),
        release: async () => {
          // One at a time, because two senders would end each other.
          const ended = ending.then(() => endProcessesOf(uid, range.last)).catch(() => false);
          ending = ended;
          if (await ended) free.push(uid);
          else process.emitWarning(`The processes of the uid ${uid} could not be ended. It is not used again.`);
        },
      };
    },
  };
}

export function sizeOf({ first, last }: UidRange): number {
  return last - first + 1;
}

export function rangeText({ first, last }: UidRange): string {
  return `${first}-${last}`;
}

/** setpriv (util-linux) that runs the next program under a uid, with no group and no capability, for ever. */
export function asUid(uid: number): readonly [program: string, ...args: string[]] {
  return becoming(uid, '-all');
}

function becoming(uid: number, capabilities: string): readonly [program: string, ...args: string[]] {
  const id = String(uid);
  const rights = ['--no-new-privs', `--inh-caps=${capabilities}`, `--ambient-caps=${capabilities}`];
  return [requireProgram('setpriv', 'util-linux'), '--reuid', id, '--regid', id, '--clear-groups', ...rights, '--'];
}

const mostTries = 5;

/**
 * kill(2) with -1 reaches every process that the sender may signal, except for the sender, and no fork(2) escapes it. A
 * process under the uid must not end the sender before. So the sender takes the uid as its effective uid only: it may
 * signal these processes, and they may not signal it, because its real and saved uid are `senderUid`. Returns whether it
 * worked.
 */
async function endProcessesOf(uid: number, senderUid: number): Promise<boolean> {
  const perl = findProgram('perl');
  if (perl === undefined) return false;
  const script = '$> = $ARGV[0]; exit 1 if $> != $ARGV[0]; kill KILL => -1';
  const [setpriv, ...args] = [...becoming(senderUid, '-all,+setuid'), perl, '-e', script, String(uid)];
  for (let tries = 0; tries < mostTries; tries += 1) {
    const sender = spawn(setpriv, args, { stdio: 'ignore', env: {}, cwd: '/' });
    const [exitCode] = (await once(sender, 'exit').catch(() => [])) as unknown[];
    if (exitCode === 0) return true;
  }
  return false;
}
