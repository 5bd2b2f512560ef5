import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';
import type { WorkerTimes } from '../../src/worker/workerTools.js';
import { descendantsOf } from '../fixtures/processes/childProcesses.js';
import { until } from '../fixtures/until.js';
import type { FaultBench } from './faultBench.js';

/** A worker in a separate process. */
export type WorkerUnderFault = {
  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void;
  /** Stores the tools that run below the worker now, for `toolsAreGone`. */
  noteTools(): void;
  /** Whether all stored tools have ended within the limit, also if their parent has changed. */
  toolsAreGone(limitMs: number): Promise<boolean>;
  /** Whether the worker reported the end of an attempt within the limit. */
  saidEnd(limitMs: number): Promise<boolean>;
  /** Kills the worker if it still runs. */
  end(): Promise<void>;
};

export async function startWorkerUnderFault(bench: FaultBench, times: Partial<WorkerTimes>): Promise<WorkerUnderFault> {
  const program = fileURLToPath(new URL('workerProcess.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', '@swc-node/register/esm-register', program], {
    env: {
      PATH: process.env['PATH'],
      NODE_NO_WARNINGS: '1',
      WORKER_GROUND: JSON.stringify(bench.harness.ground),
      WORKER_TIMES: JSON.stringify(times),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines: string[] = [];
  createInterface(child.stdout).on('line', (line) => lines.push(line));
  await until(() => lines.includes('ready'), 'the worker process is ready', 60_000);
  const noted = new Map<number, string>();
  const pid = child.pid ?? 0;
  const holds = (condition: () => boolean, limitMs: number) =>
    until(condition, 'it', limitMs).then(
      () => true,
      () => false,
    );
  return {
    signal: (signal) => child.kill(signal),
    noteTools: () => {
      for (const tool of descendantsOf(pid)) noted.set(tool.pid, tool.name);
    },
    toolsAreGone: (limitMs) => holds(() => ![...noted.keys()].some(isAlive), limitMs),
    saidEnd: (limitMs) => holds(() => lines.some((line) => line.startsWith('ended')), limitMs),
    end: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
