import { networkOf } from '../signInFailures.js';

export type PendingLimits = {
  /** The limit for sockets before their sign-in, for all clients together. */
  readonly pendingSockets: number;
  /**
   * The limit for one address. An IPv6 address counts as its /64 network, because one client usually has a whole /64
   * network.
   */
  readonly pendingSocketsOfAddress: number;
};

/** Counts the sockets that have not signed in yet. */
export class PendingSockets {
  readonly #limits: PendingLimits;
  readonly #ofAddresses = new Map<string, number>();
  #total = 0;

  constructor(limits: PendingLimits) {
    this.#limits = limits;
  }

  get total(): number {
    return this.#total;
  }

  /** Undefined if there are too many. Otherwise the function to call when the socket has signed in or is closed; idempotent. */
  enter(address: string | undefined): (() => void) | undefined {
    const network = networkOf(address);
    const ofAddress = this.#ofAddresses.get(network) ?? 0;
    const { pendingSockets, pendingSocketsOfAddress } = this.#limits;
    if (this.#total >= pendingSockets || ofAddress >= pendingSocketsOfAddress) return undefined;
    this.#change(network, 1);
    let isPending = true;
    return () => {
      if (isPending) this.#change(network, -1);
      isPending = false;
    };
  }

  #change(network: string, by: number): void {
    this.#total += by;
    const ofAddress = (this.#ofAddresses.get(network) ?? 0) + by;
    if (ofAddress > 0) this.#ofAddresses.set(network, ofAddress);
    else this.#ofAddresses.delete(network);
  }
}
