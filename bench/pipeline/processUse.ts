import { readFileSync } from 'node:fs';

/** The resource use of one process from Linux's proc(5), without its children. Undefined on other systems. */
export function processUse(pid: number): ProcessUse | undefined {
  try {
    const [status, stat] = ['status', 'stat'].map((file) => readFileSync(`/proc/${pid}/${file}`, 'utf8'));
    const now = /^VmRSS:\s+(\d+) kB$/m.exec(status ?? '');
    return {
      residentMb: Math.round((Number(now?.[1]) * 1024) / 1e6),
      peakMb: peakMbOf(status ?? ''),
      processor: processorSecondsOf(stat ?? ''),
    };
  } catch {
    return undefined;
  }
}

export type ProcessUse = {
  readonly residentMb: number;
  readonly peakMb: number;
  readonly processor: ProcessorSeconds;
};

/** Processor seconds of the process alone, and together with all of its children that have ended. */
export type ProcessorSeconds = { readonly own: number; readonly all: number };

/** The largest resident size, from the text of /proc/<pid>/status. */
export function peakMbOf(status: string): number {
  return Math.round((Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024) / 1e6);
}

/** Parsed from the text of /proc/<pid>/stat, where the kernel counts in hundredths (USER_HZ). */
export function processorSecondsOf(stat: string): ProcessorSeconds {
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11, 15);
  return { own: (user + system) / 100, all: (user + system + childrenUser + childrenSystem) / 100 };
}
