import type { WebSocket } from 'ws';
import type { QueuedBytes } from '../fairness/queuedBytes.js';

/** While more bytes than this wait to be sent on a socket, nothing further is produced for it. */
const mostUnsentBytes = 1_048_576;
/** How many answers and messages are produced for one socket at the same time. */
const mostAtOnce = 4;

type Waiter = { readonly begins: boolean; readonly admit: () => void };

/**
 * Sends messages to one client. It produces only a few messages at the same time, and none while the client has too
 * much to read. So a client that does not read costs the memory of a few messages, even if it has many subscriptions.
 */
export class Outlet {
  readonly #waiting: Waiter[] = [];
  #running = 0;
  #viewerKey = '';
  #stopListening: (() => void) | undefined;

  constructor(
    private readonly socket: WebSocket,
    private readonly queued: QueuedBytes,
  ) {
    socket.once('close', () => this.#admit());
  }

  /** From now on the bytes count for this viewer. */
  belongsTo(viewerKey: string): void {
    this.#viewerKey = viewerKey;
  }

  /** Resolves when the frame was sent to the network. So it resolves late if the client reads slowly. */
  send(data: string): Promise<void> {
    if (this.socket.readyState !== this.socket.OPEN) return Promise.resolve();
    const sent = this.queued.add(this.#viewerKey, data.length);
    return new Promise((resolve) => {
      // An error means that the socket is closed. Its 'close' event ends the operations on it.
      this.socket.send(data, () => {
        sent();
        resolve();
        this.#admit();
      });
    });
  }

  /** Undefined if the client has read enough. Otherwise a promise that it has, or that the socket is closed. */
  hasRead(): Promise<void> | undefined {
    if (this.#hasRoom()) return undefined;
    return this.#wait(false);
  }

  /** Waits until the next message may be produced, or the socket is closed. Call `end` when it has been produced. */
  async begin(): Promise<void> {
    if (this.#waiting.length === 0 && this.#running < mostAtOnce && this.#hasRoom()) this.#running += 1;
    else await this.#wait(true);
  }

  end(): void {
    this.#running -= 1;
    this.#admit();
  }

  #hasRoom(): boolean {
    if (this.socket.readyState !== this.socket.OPEN) return true;
    return this.socket.bufferedAmount < mostUnsentBytes && this.queued.hasRoom(this.#viewerKey);
  }

  #wait(begins: boolean): Promise<void> {
    this.#stopListening ??= this.queued.onLess(() => this.#admit());
    return new Promise((admit) => this.#waiting.push({ begins, admit }));
  }

  #admit(): void {
    const isClosed = this.socket.readyState !== this.socket.OPEN;
    while (this.#hasRoom()) {
      const index = this.#waiting.findIndex(({ begins }) => isClosed || !begins || this.#running < mostAtOnce);
      if (index < 0) break;
      const [waiter] = this.#waiting.splice(index, 1);
      if (waiter?.begins === true) this.#running += 1;
      waiter?.admit();
    }
    if (this.#waiting.length > 0) return;
    this.#stopListening?.();
    this.#stopListening = undefined;
  }
}
