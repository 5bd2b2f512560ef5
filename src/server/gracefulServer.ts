import { once } from 'node:events';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HttpApi } from './httpApi.js';
import type { SignInFailures } from './signInFailures.js';
import type { SocketApi } from './socketApi.js';

export interface ApiServer {
  /** Starts to accept connections. Rejects if the address cannot be used. */
  listen(): Promise<void>;
  /** `http://host:port` with the actual port. Throws before `listen`. */
  readonly url: string;
  /**
   * Stops accepting connections, closes every WebSocket with 1001, waits up to `graceMs` for open requests, and then ends
   * the remaining connections. Idempotent.
   */
  close(): Promise<void>;
}

type Parts = {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly api: Pick<HttpApi, 'stop'>;
  readonly sockets: SocketApi;
  readonly signInFailures: Pick<SignInFailures, 'stop'>;
  readonly graceMs: number;
};

/** Listens, and closes without cutting off the requests that are being answered. */
export class GracefulServer implements ApiServer {
  #port: number | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    private readonly server: Server,
    private readonly parts: Parts,
  ) {}

  async listen(): Promise<void> {
    this.server.listen(this.parts.port, this.parts.host);
    await once(this.server, 'listening');
    this.#port = portOf(this.server.address());
  }

  get url(): string {
    if (this.#port === undefined) throw new Error('The server does not listen yet.');
    const { host } = this.parts;
    return `http://${host.includes(':') ? `[${host}]` : host}:${this.#port}`;
  }

  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeGracefully();
    return this.#closing;
  }

  /** Must be called for each response. An idle keep-alive connection would otherwise delay `close` after its last answer. */
  follow(response: ServerResponse): void {
    response.once('close', () => {
      if (this.isClosing) setImmediate(() => this.server.closeIdleConnections());
    });
  }

  async #closeGracefully(): Promise<void> {
    const { api, sockets, signInFailures, graceMs } = this.parts;
    signInFailures.stop();
    if (this.server.listening) {
      const closed = once(this.server, 'close');
      this.server.close();
      sockets.goAway();
      const timer = setTimeout(() => {
        sockets.terminate();
        this.server.closeAllConnections();
      }, graceMs);
      await closed;
      clearTimeout(timer);
    }
    await api.stop();
  }
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('The server does not listen on a port.');
  return address.port;
}
