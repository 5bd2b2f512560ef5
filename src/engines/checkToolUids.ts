import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { conversationFiles, tryConversation } from './conversation/conversation.js';
import { findProgram } from './process/programs.js';
import { startTool } from './process/startTool.js';
import { endedWell } from './process/toolEnd.js';
import type { Tools } from './process/tools.js';
import { rangeText, type ToolUids, type UidRange } from './process/toolUids.js';
import { claimUids } from './process/uidClaim.js';

/** Shows all output: no customer's data is there yet. */
const allOutput = { take: (line: string) => [line], end: () => [] };

const limitMs = 20_000;
/** How long the tools of a process that was killed may take to end. */
const vanishMs = 5_000;

/**
 * Claims the uids for this process until it ends, and tries whether tools can run under them. Returns why not, with what to do, or undefined. `drivers` are the
 * modules that the processes load that talk to servers.
 */
export async function checkToolUids(uids: ToolUids, drivers: readonly URL[]): Promise<string | undefined> {
  const { range } = uids;
  const isMissing = ['setpriv', 'perl'].some((name) => findProgram(name) === undefined);
  if (process.platform !== 'linux' || isMissing) {
    return 'Only Linux with setpriv (util-linux) and perl (perl-base) runs tools under other uids. Install both, or unset STOWAGE_TOOL_UIDS.';
  }
  const claim = await claimUids(range);
  if ('takenBy' in claim) {
    return (
      `Another process of Stowage on this machine has STOWAGE_TOOL_UIDS=${rangeText(claim.takenBy)}, which overlaps with ` +
      `${rangeText(range)}. Give each process a range of its own.`
    );
  }
  const problem = await problemOf(uids, drivers);
  if (problem !== undefined) claim.close();
  return problem;
}

async function problemOf(uids: ToolUids, drivers: readonly URL[]): Promise<string | undefined> {
  const { range } = uids;
  const other = await otherProcess(range);
  if (other !== undefined) {
    return (
      `${other} runs under a uid of STOWAGE_TOOL_UIDS (${rangeText(range)}). No other process may use them, also ` +
      'no other process of Stowage on this machine. Choose another range, or end that process.'
    );
  }
  const tools = { folders: [], uids };
  return (await refusedUid(tools)) ?? (await unreadableFiles(tools, drivers));
}

async function otherProcess(range: UidRange): Promise<string | undefined> {
  const until = performance.now() + vanishMs;
  for (;;) {
    const found = await processUnder(range);
    if (found === undefined || performance.now() > until) return found;
    await wait(100);
  }
}

async function processUnder({ first, last }: UidRange): Promise<string | undefined> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    const [, ids = ''] = /^Uid:\s*(.*)$/m.exec(status) ?? [];
    const isUnder = ids.split(/\s+/).some((id) => id !== '' && Number(id) >= first && Number(id) <= last);
    if (isUnder) return `The process ${pid} (${/^Name:\s*(.*)$/m.exec(status)?.[1] ?? ''})`;
  }
  return undefined;
}

/** Starts a program under another uid, and signals it. */
async function refusedUid(tools: Tools): Promise<string | undefined> {
  const script = { program: '/bin/sh', args: ['-c', 'echo started; read line'] };
  const started = startTool(
    { ...script, stdin: 'pipe', stdout: 'pipe', filter: allOutput },
    tools,
    AbortSignal.timeout(limitMs),
  );
  const { stdout } = started;
  const runs = stdout === null ? [] : once(stdout, 'data').catch(() => []);
  const hasStarted = (await Promise.race([runs, started.ended.then(() => [])])).length > 0;
  const mayBeSignalled = hasStarted && canSignal(started.pid);
  started.stdin?.end();
  const { lastLines } = await started.ended;
  if (mayBeSignalled) return undefined;
  const why = hasStarted ? 'signal a program under another uid' : `start a program under another uid (${lastLines})`;
  return (
    `STOWAGE_TOOL_UIDS is set, but this process may not ${why}. Give it the capabilities SETUID, SETGID and KILL ` +
    '(systemd: AmbientCapabilities=CAP_SETUID CAP_SETGID CAP_KILL), start it as root, or unset STOWAGE_TOOL_UIDS.'
  );
}

function canSignal(pid: number | undefined): boolean {
  try {
    return pid !== undefined && process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function unreadableFiles(tools: Tools, drivers: readonly URL[]): Promise<string | undefined> {
  for (const driver of drivers) {
    const end = await tryConversation(driver, tools, allOutput, AbortSignal.timeout(limitMs));
    if (endedWell(end)) continue;
    const why = /^.*(?:Error|denied|EACCES).*$/m.exec(end.lastLines)?.[0] ?? end.lastLines;
    return (
      `Under a uid of STOWAGE_TOOL_UIDS, Node does not run a program of Stowage: ${why.trim()}. Every user of this machine ` +
      `must be able to read and enter ${conversationFiles(driver).join(', ')} and all folders above, and the node_modules of ` +
      'Stowage. Install Stowage and Node outside of a home folder, for example below /opt, or unset STOWAGE_TOOL_UIDS.'
    );
  }
  return undefined;
}

/** Returns the paths that a tool can read. For a folder: that a tool can enter. */
export async function readableByTools(paths: readonly string[], tools: Tools): Promise<readonly string[]> {
  const script = 'for path; do if [ -r "$path" ] || { [ -d "$path" ] && [ -x "$path" ]; }; then echo "$path"; fi; done';
  const started = startTool(
    { program: '/bin/sh', args: ['-c', script, 'sh', ...paths], stdin: 'none', stdout: 'pipe', filter: allOutput },
    tools,
    AbortSignal.timeout(limitMs),
  );
  const printed: Buffer[] = [];
  started.stdout?.on('data', (piece: Buffer) => printed.push(piece));
  await started.ended;
  return Buffer.concat(printed).toString('utf8').split('\n').slice(0, -1);
}
