import { cpus, networkInterfaces } from 'node:os';
import type { ServerAddress } from '../../network/serverAddress.js';

/**
 * The shares of a dump's time that counting may take: a large share if a processor is idle, because then counting is
 * free, and a small share if counting takes the processor from the dump. A count takes about a tenth of the time that
 * the dump of the same table takes.
 */
export const countingShares = { roomy: 0.1, tight: 0.01 } as const;

/**
 * The share of a dump's time for counting on a server. A server on another machine uses one processor for the dump's
 * session and, if it has several, another one for counting. On this machine the tools of the dump also run, so counting
 * is free only if a whole processor has been idle since this was called.
 */
export function countingShareOf(server: ServerAddress, machine: Machine = thisMachine): () => number {
  if (!machine.addresses().has(server.address)) return () => countingShares.roomy;
  const before = { at: machine.now(), idleMs: machine.idleMs() };
  return () => {
    const passedMs = machine.now() - before.at;
    const idle = (machine.idleMs() - before.idleMs) / Math.max(1, passedMs);
    return passedMs >= leastSampleMs && idle >= 1 ? countingShares.roomy : countingShares.tight;
  };
}

export type Machine = {
  readonly addresses: () => ReadonlySet<string>;
  /** The processor times of all processors since the start of the machine. */
  readonly idleMs: () => number;
  readonly now: () => number;
};

const thisMachine: Machine = {
  addresses: () =>
    new Set(
      Object.values(networkInterfaces())
        .flatMap((all) => all ?? [])
        .map(({ address }) => address),
    ),
  idleMs: () => cpus().reduce((sum, { times }) => sum + times.idle, 0),
  now: () => performance.now(),
};

/** The kernel counts in hundredths of a second. */
const leastSampleMs = 500;
