import type { Socket } from 'node:net';
import { plainAddress } from './client/clientOf.js';
import type { TrustedProxies } from './client/trustedProxies.js';
import { networkOf } from './signInFailures.js';

export type ConnectionLimits = {
  /** The limit for HTTP connections on which nobody has signed in yet, for all clients together. */
  readonly pendingConnections: number;
  /** The limit for one address, except for trusted proxies. An IPv6 address counts as its /64 network. */
  readonly pendingConnectionsOfAddress: number;
};

/**
 * The HTTP connections on which nobody has signed in yet, oldest first. If there are too many, the oldest one is closed. So a
 * client with many idle or slow connections displaces its own, and new clients always get a connection.
 */
export class PendingConnections {
  /** Each connection with its network, because a closed socket no longer knows its address. */
  readonly #all = new Map<Socket, string>();
  readonly #ofAddresses = new Map<string, Set<Socket>>();

  constructor(
    private readonly limits: ConnectionLimits,
    private readonly proxies: TrustedProxies,
    private readonly onClosed: () => void,
  ) {}

  get total(): number {
    return this.#all.size;
  }

  add(socket: Socket): void {
    const address = plainAddress(socket.remoteAddress);
    const network = networkOf(address);
    const ofAddress = this.#ofAddresses.get(network) ?? new Set();
    this.#ofAddresses.set(network, ofAddress);
    ofAddress.add(socket);
    this.#all.set(socket, network);
    socket.once('close', () => this.release(socket));
    const isProxy = address !== undefined && this.proxies.includes(address);
    if (!isProxy && ofAddress.size > this.limits.pendingConnectionsOfAddress) this.#closeOldest(ofAddress.values());
    if (this.#all.size > this.limits.pendingConnections) this.#closeOldest(this.#all.keys());
  }

  /** A client has signed in on this connection, or it has become a WebSocket, which has limits of its own. Idempotent. */
  release(socket: Socket): void {
    const network = this.#all.get(socket);
    if (network === undefined) return;
    this.#all.delete(socket);
    const ofAddress = this.#ofAddresses.get(network);
    ofAddress?.delete(socket);
    if (ofAddress?.size === 0) this.#ofAddresses.delete(network);
  }

  #closeOldest(sockets: Iterable<Socket>): void {
    const [oldest] = sockets;
    if (oldest === undefined) return;
    this.release(oldest);
    oldest.destroy();
    this.onClosed();
  }
}
