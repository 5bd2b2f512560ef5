import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

export type SignInFailuresOptions = {
  readonly log: { warn(fields: object, message: string): void };
  /** The clock. Default: `performance.now()`. */
  readonly nowMs?: () => number;
  readonly limits?: Partial<typeof defaultLimits> | undefined;
};

export const defaultLimits = {
  /** The number of failures of an address that are answered at once. */
  free: 5,
  /** The time after which one failure of an address is forgiven. */
  forgivenEveryMs: 10_000,
  /** The wait of the first failure that is not answered at once. It doubles with each further failure. */
  firstWaitMs: 100,
  longestWaitMs: 5_000,
  /**
   * The number of answers of one address that may wait at the same time. A further failure is answered at once, and its
   * connection is closed.
   */
  waitingPerAddress: 32,
  waitingInTotal: 1_000,
  /** The number of addresses that are remembered. The address with the oldest last failure is forgotten first. */
  addresses: 10_000,
  /** The shortest time between two log lines. */
  logEveryMs: 60_000,
};

export interface SignInFailures {
  /**
   * Counts a failed sign-in. Resolves when it may be answered. False: too many answers wait, so the connection should
   * be closed. The failures of one credential from all addresses are counted together too, because a revoked token may be
   * tried from many addresses. Never call it for a valid token, because failures of others at the same address must not slow it down.
   */
  failed(address: string | undefined, credential?: string): Promise<boolean>;
  /** Ends every wait, and logs the failures that were not logged yet. */
  stop(): void;
}

type Entry = { failures: number; lastAtMs: number; waiting: number; unlogged: number };

/**
 * Slows down clients that try tokens, by address and by token. It logs failures as counts: the first failure at once, and later
 * failures together, at most once a minute. An IPv6 address counts as its /64 network, because a provider gives one
 * customer a whole /64 network.
 */
export function createSignInFailures(options: SignInFailuresOptions): SignInFailures {
  const limits = { ...defaultLimits, ...options.limits };
  const nowMs = options.nowMs ?? (() => performance.now());
  /** In the order of their last failures. */
  const entries = new Map<string, Entry>();
  /** The same for credentials, by their hashes. */
  const ofCredentials = new Map<string, Entry>();
  const stopped = new AbortController();
  let waiting = 0;
  let timer: NodeJS.Timeout | undefined;
  let forgottenUnlogged = 0;

  function countIn(counted: Map<string, Entry>, key: string): Entry {
    const entry = counted.get(key) ?? { failures: 0, lastAtMs: nowMs(), waiting: 0, unlogged: 0 };
    const forgiven = (nowMs() - entry.lastAtMs) / limits.forgivenEveryMs;
    entry.failures = Math.max(0, entry.failures - forgiven) + 1;
    entry.lastAtMs = nowMs();
    entry.unlogged += 1;
    counted.delete(key);
    counted.set(key, entry);
    const [oldest] = counted.keys();
    if (counted.size > limits.addresses && oldest !== undefined) {
      if (counted === entries) forgottenUnlogged += counted.get(oldest)?.unlogged ?? 0;
      counted.delete(oldest);
    }
    return entry;
  }

  function report(): void {
    timer = undefined;
    const failed = [...entries].filter(([, { unlogged }]) => unlogged > 0);
    const failures = failed.reduce((sum, [, { unlogged }]) => sum + unlogged, forgottenUnlogged);
    if (failures === 0) return;
    const most = failed
      .toSorted(([, a], [, b]) => b.unlogged - a.unlogged)
      .slice(0, 5)
      .map(([address, { unlogged }]) => ({ address, failures: unlogged }));
    options.log.warn({ failures, addresses: failed.length, most }, 'Sign-ins failed.');
    forgottenUnlogged = 0;
    for (const [, entry] of failed) entry.unlogged = 0;
    reportLater();
  }

  function reportLater(): void {
    if (stopped.signal.aborted) return;
    timer = setTimeout(report, limits.logEveryMs);
    timer.unref();
  }

  return {
    async failed(address, credential) {
      const entry = countIn(entries, networkOf(address));
      const ofCredential = credential === undefined ? undefined : countIn(ofCredentials, hashOf(credential));
      if (timer === undefined) report();
      const beyond = Math.max(entry.failures, ofCredential?.failures ?? 0) - limits.free;
      if (beyond <= 0 || stopped.signal.aborted) return true;
      if (entry.waiting >= limits.waitingPerAddress || waiting >= limits.waitingInTotal) return false;
      entry.waiting += 1;
      waiting += 1;
      const waitMs = Math.min(limits.longestWaitMs, limits.firstWaitMs * 2 ** (beyond - 1));
      await sleep(waitMs, undefined, { signal: stopped.signal, ref: false }).catch(() => undefined);
      entry.waiting -= 1;
      waiting -= 1;
      return true;
    },
    stop() {
      stopped.abort();
      clearTimeout(timer);
      report();
    },
  };
}

function hashOf(credential: string): string {
  return createHash('sha256').update(credential).digest('base64');
}

/** The address, or the /64 network of an IPv6 address. */
export function networkOf(address: string | undefined): string {
  const plain = (address ?? 'unknown').replace(/^::ffff:(?=\d+\.)/i, '');
  if (!plain.includes(':')) return plain;
  const [head = '', tail] = plain.split('::');
  const groups = head.split(':').filter((group) => group !== '');
  const filled = tail === undefined ? groups : [...groups, ...Array<string>(8 - groups.length).fill('0')];
  return `${filled.slice(0, 4).join(':')}::/64`;
}
