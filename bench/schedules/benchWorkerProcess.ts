import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export type BenchWorkerSettings = {
  readonly appUrl: string;
  readonly ownerUrl: string;
  readonly masterKey: string;
  /** Null: alarms are in PostgreSQL. */
  readonly mongoUrl: string | null;
  /** The root of file endpoints that are folders. */
  readonly root: string;
  readonly concurrency: number;
};

export type BenchWorker = {
  readonly pid: number;
  /** When each dump tool was started, in the order of the messages. */
  readonly startedAtMs: readonly number[];
  stop(): Promise<void>;
};

/**
 * `nothing`: its engine dumps nothing and its storage keeps nothing. Otherwise the engine of MariaDB, with the real
 * tool.
 */
export async function startBenchWorker(
  mode: 'nothing' | 'mariadb',
  settings: BenchWorkerSettings,
): Promise<BenchWorker> {
  const script = fileURLToPath(new URL('benchWorker.ts', import.meta.url));
  const execArgv = ['--no-warnings', '--import', '@swc-node/register/esm-register'];
  const child = fork(script, [mode, JSON.stringify(settings)], { execArgv });
  const startedAtMs: number[] = [];
  child.on('message', (message: { readonly startedAtMs?: number }) => {
    if (message.startedAtMs !== undefined) startedAtMs.push(message.startedAtMs);
  });
  await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => {
      throw new Error('The worker ended before it was ready.');
    }),
  ]);
  return {
    pid: child.pid ?? 0,
    startedAtMs,
    async stop() {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    },
  };
}
