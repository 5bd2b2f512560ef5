import { fork } from 'node:child_process';
import { once } from 'node:events';
import { startFaultBench } from './faultBench.js';
import type { Tried } from './faultReport.js';
import { seededRandom } from './seededRandom.js';
import { tryFaults } from './tryFaults.js';
import type { Fault, Trial } from './trial.js';

/** The message of a share to its parent after each fault. */
type FaultResult = { readonly group: string; readonly name: string; readonly trial: Trial; readonly seconds: number };

/**
 * Runs faults in several processes at once, each with servers of its own, because a fault spends most of its time waiting.
 * After a signal to this process, each of them ends after its present fault.
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
      child.on('message', ({ group, name, trial, seconds }: FaultResult) => {
        const fault = faults.find((one) => one.group === group && one.name === name);
        if (fault !== undefined) onTried({ fault, trial, seconds });
      });
      const [code] = (await once(child, 'exit')) as [number | null];
      return code;
    }),
  );
  return { endedEarly: codes.some((code) => code !== 0) };
}

/** Runs in the process of a share. It reports each fault, and ends what it has started also after its parent has ended. */
export async function answerForShare(faults: readonly Fault[], seed: number): Promise<void> {
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
  for (const event of ['message', 'disconnect'] as const) process.on(event, () => interrupted.abort());
  const bench = await startFaultBench(seededRandom(seed));
  try {
    for await (const { fault, trial, seconds } of tryFaults(bench, faults)) {
      const report: FaultResult = { group: fault.group, name: fault.name, trial, seconds };
      process.send?.(report);
      if (interrupted.signal.aborted) break;
    }
  } finally {
    await bench.stop();
  }
  if (process.connected) process.disconnect();
}
