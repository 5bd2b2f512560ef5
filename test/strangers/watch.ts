import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

/** The longest delay for another client while a group ran, and the memory of the process. */
export type Noticed = {
  readonly peakBytes: number;
  readonly longestPingMs: number;
  /** 99 % of the pings took at most this time. */
  readonly p99PingMs: number;
  /** The same before the group began, while nobody attacked. */
  readonly quietP99PingMs: number;
  /** How many pings were answered. */
  readonly pings: number;
};

/** How long the pings are measured before a group, for comparison. */
const quietMs = 1_000;

export type Watch = {
  /** Resets the peak. */
  begin(): Promise<void>;
  /** The figures since `begin`. Throws if the other client got an error. */
  end(): Promise<Noticed>;
  stop(): Promise<void>;
};

/** Watches the memory of a process (Linux: /proc), and pings the API from a process of its own. */
export async function startWatch(api: { url: string; otherToken: string; pid: number }): Promise<Watch> {
  const loader = ['--no-warnings', '--import', '@swc-node/register/esm-register'];
  const child = spawn(process.execPath, [...loader, join(import.meta.dirname, 'pinger.ts'), api.url, api.otherToken], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error('The client that pings got an error, and has ended.');
    return value;
  };
  await line();
  const figures = async () => {
    child.stdin.write('\n');
    return JSON.parse(await line()) as { longestMs: number; p99Ms: number; answers: number };
  };
  let quietP99PingMs = NaN;
  return {
    async begin() {
      // See proc(5): the value 5 sets the peak of the resident memory to its current size.
      writeFileSync(`/proc/${api.pid}/clear_refs`, '5');
      await figures();
      await pause(quietMs);
      quietP99PingMs = (await figures()).p99Ms;
    },
    async end() {
      const { longestMs, p99Ms, answers } = await figures();
      const peakBytes = memoryOf(api.pid, 'VmHWM');
      return { peakBytes, longestPingMs: longestMs, p99PingMs: p99Ms, quietP99PingMs, pings: answers };
    },
    async stop() {
      child.stdin.end();
      await ended;
    },
  };
}

/** Bytes. VmRSS is the current resident memory, and VmHWM its peak. */
export function memoryOf(pid: number, what: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${what}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? NaN) * 1024;
}
