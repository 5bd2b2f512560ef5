import { fork } from 'node:child_process';
import { once } from 'node:events';
import { startFaultBench } from './faultBench.js';
import type { Tried } from './faultReport.js';
import { seededRandom } from './seededRandom.js';
import { tryFaults } from './tryFaults.js';
import type { Fault, Trial } from './trial.js';

/** What a share says to whoever started it, of each fault that it has tried. */
type Told = { readonly group: string; readonly name: string; readonly trial: Trial; readonly seconds: number };

/**
 * Tries faults in so many processes at once, each with servers of its own: most of the time of a fault is spent waiting.
 * A signal to this process ends each after the fault at hand.
 */
export async function tryInShares(
  faults: readonly Fault[],
  shares: number,
  onTried: (one: Tried) => void,
): Promise<{ readonly endedEarly: boolean }> {
  const [, program = ''] = process.argv;
  const children = Array.from({ length: shares }, (_, share) =>
    fork(program, [...process.argv.slice(2), '--at-once', String(shares), '--share', String(share)], {
      env: { ...process.env, TEST_PORT_RANGE: String(share) },
    }),
  );
  const end = () => {
    for (const child of children) if (child.connected) child.send('end');
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, end);
  const codes = await Promise.all(
    children.map(async (child) => {
      child.on('message', ({ group, name, trial, seconds }: Told) => {
        const fault = faults.find((one) => one.group === group && one.name === name);
        if (fault !== undefined) onTried({ fault, trial, seconds });
      });
      const [code] = (await once(child, 'exit')) as [number | null];
      return code;
    }),
  );
  return { endedEarly: codes.some((code) => code !== 0) };
}

/** In the process of a share: it tells of each fault, and ends what it has started also when nobody listens any more. */
export async function answerForShare(faults: readonly Fault[], seed: number): Promise<void> {
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
  for (const event of ['message', 'disconnect'] as const) process.on(event, () => interrupted.abort());
  const bench = await startFaultBench(seededRandom(seed));
  try {
    for await (const { fault, trial, seconds } of tryFaults(bench, faults)) {
      const told: Told = { group: fault.group, name: fault.name, trial, seconds };
      process.send?.(told);
      if (interrupted.signal.aborted) break;
    }
  } finally {
    await bench.stop();
  }
  if (process.connected) process.disconnect();
}
