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

/**
 * Slows down clients that try tokens, by address and by token. It logs failures as counts: the first failure at once, and later
 * failures together, at most once a minute. An IPv6 address counts as its /64 network, because a provider gives one
 * customer a whole /64 network.
 */
export function createSignInFailures(options: SignInFailuresOptions): SignInFailures {
  return new SlowedFailures(options);
}

class SlowedFailures implements SignInFailures {
  readonly #limits: typeof defaultLimits;
  readonly #log: SignInFailuresOptions['log'];
  readonly #ofAddresses: FailureCounts;
  /** By the hashes of the credentials. */
  readonly #ofCredentials: FailureCounts;
  readonly #stopped = new AbortController();
  #waiting = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor({ log, nowMs = () => performance.now(), limits }: SignInFailuresOptions) {
    this.#limits = { ...defaultLimits, ...limits };
    this.#log = log;
    this.#ofAddresses = new FailureCounts(this.#limits, nowMs);
    this.#ofCredentials = new FailureCounts(this.#limits, nowMs);
  }

  async failed(address: string | undefined, credential?: string): Promise<boolean> {
    const ofAddress = this.#ofAddresses.add(networkOf(address));
    const ofCredential = credential === undefined ? undefined : this.#ofCredentials.add(hashOf(credential));
    if (this.#timer === undefined) this.#report();
    const { free, firstWaitMs, longestWaitMs, waitingPerAddress, waitingInTotal } = this.#limits;
    const beyond = Math.max(ofAddress.failures, ofCredential?.failures ?? 0) - free;
    const { signal } = this.#stopped;
    if (beyond <= 0 || signal.aborted) return true;
    if (ofAddress.waiting >= waitingPerAddress || this.#waiting >= waitingInTotal) return false;
    ofAddress.waiting += 1;
    this.#waiting += 1;
    const waitMs = Math.min(longestWaitMs, firstWaitMs * 2 ** (beyond - 1));
    await sleep(waitMs, undefined, { signal, ref: false }).catch(() => undefined);
    ofAddress.waiting -= 1;
    this.#waiting -= 1;
    return true;
  }

  stop(): void {
    this.#stopped.abort();
    clearTimeout(this.#timer);
    this.#report();
  }

  #report(): void {
    this.#timer = undefined;
    const { failures, addresses, most } = this.#ofAddresses.takeUnlogged();
    if (failures === 0) return;
    this.#log.warn({ failures, addresses, most }, 'Sign-ins failed.');
    if (this.#stopped.signal.aborted) return;
    this.#timer = setTimeout(() => this.#report(), this.#limits.logEveryMs);
    this.#timer.unref();
  }
}

type Count = { failures: number; lastAtMs: number; waiting: number; unlogged: number };

/** The failures of each key. They are forgiven with time, and the key with the oldest last failure is forgotten first. */
class FailureCounts {
  /** In the order of their last failures. */
  readonly #counts = new Map<string, Count>();
  #forgottenUnlogged = 0;

  constructor(
    private readonly limits: Pick<typeof defaultLimits, 'forgivenEveryMs' | 'addresses'>,
    private readonly nowMs: () => number,
  ) {}

  add(key: string): Count {
    const now = this.nowMs();
    const count = this.#counts.get(key) ?? { failures: 0, lastAtMs: now, waiting: 0, unlogged: 0 };
    const forgiven = (now - count.lastAtMs) / this.limits.forgivenEveryMs;
    count.failures = Math.max(0, count.failures - forgiven) + 1;
    count.lastAtMs = now;
    count.unlogged += 1;
    this.#counts.delete(key);
    this.#counts.set(key, count);
    const [oldest] = this.#counts.keys();
    if (this.#counts.size > this.limits.addresses && oldest !== undefined) {
      this.#forgottenUnlogged += this.#counts.get(oldest)?.unlogged ?? 0;
      this.#counts.delete(oldest);
    }
    return count;
  }

  /** The failures that were not logged yet, and the addresses with the most of them. From now on they count as logged. */
  takeUnlogged() {
    const failed = [...this.#counts].filter(([, { unlogged }]) => unlogged > 0);
    const failures = failed.reduce((sum, [, { unlogged }]) => sum + unlogged, this.#forgottenUnlogged);
    const most = failed
      .toSorted(([, a], [, b]) => b.unlogged - a.unlogged)
      .slice(0, 5)
      .map(([address, { unlogged }]) => ({ address, failures: unlogged }));
    this.#forgottenUnlogged = 0;
    for (const [, count] of failed) count.unlogged = 0;
    return { failures, addresses: failed.length, most };
  }
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
