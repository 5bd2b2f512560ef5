import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** The longest delay for another client while a group ran, and the memory of the process. */
export type Noticed = {
  readonly peakBytes: number;
  readonly longestPingMs: number;
  /** How many pings were answered. */
  readonly pings: number;
};

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
    return JSON.parse(await line()) as { longestMs: number; answers: number };
  };
  return {
    async begin() {
      // See proc(5): the value 5 sets the peak of the resident memory to its current size.
      writeFileSync(`/proc/${api.pid}/clear_refs`, '5');
      await figures();
    },
    async end() {
      const { longestMs, answers } = await figures();
      return { peakBytes: memoryOf(api.pid, 'VmHWM'), longestPingMs: longestMs, pings: answers };
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
