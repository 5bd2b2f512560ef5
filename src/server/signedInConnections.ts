import type { Socket } from 'node:net';

/**
 * The HTTP connections on which somebody has signed in, by viewer. A connection is idle most of the time and needs memory
 * all the time, so a viewer may keep only so many between two requests.
 */
export class SignedInConnections {
  readonly #viewers = new Map<string, Set<Socket>>();
  /** The viewer of the last request. A proxy sends requests of several viewers over one connection. */
  readonly #viewerOf = new WeakMap<Socket, string>();

  constructor(private readonly ofViewer: number) {}

  /** Whether the connection may stay open after the answer to this request. */
  keeps(viewerKey: string, socket: Socket): boolean {
    const before = this.#viewerOf.get(socket);
    if (before === undefined) socket.once('close', () => this.#forget(socket));
    if (before !== viewerKey) {
      this.#forget(socket);
      this.#viewerOf.set(socket, viewerKey);
    }
    const sockets = this.#viewers.get(viewerKey) ?? new Set();
    if (!sockets.has(socket) && sockets.size >= this.ofViewer) return false;
    this.#viewers.set(viewerKey, sockets.add(socket));
    return true;
  }

  #forget(socket: Socket): void {
    const viewerKey = this.#viewerOf.get(socket);
    const sockets = viewerKey === undefined ? undefined : this.#viewers.get(viewerKey);
    sockets?.delete(socket);
    if (viewerKey !== undefined && sockets?.size === 0) this.#viewers.delete(viewerKey);
  }
}
