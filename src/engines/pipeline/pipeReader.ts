import { Socket, type ConnectOpts, type SocketConstructorOpts } from 'node:net';

/** The usual size of a pipe of the kernel. */
const bufferBytes = 64 * 1024;

/**
 * Our end of a pipe that a child writes to. All chunks use the same memory: a chunk is valid until the next one is
 * asked for. A Node stream would allocate a new buffer for each read, some 30 MB of them before they are collected.
 * Unlike fs.read, this blocks no thread while it waits.
 */
export class PipeReader implements AsyncIterable<Uint8Array> {
  readonly #buffer = Buffer.allocUnsafeSlow(bufferBytes);
  readonly #socket: Socket;
  #waiting: { readonly resolve: (sizeBytes: number) => void; readonly reject: (reason: Error) => void } | undefined;
  /** The bytes in the buffer that were not requested yet. A socket starts to read when it is created. */
  #unread = 0;
  #state: 'open' | 'at its end' | Error = 'open';

  /** Owns the descriptor. Closes it at the end or when the reader is destroyed. */
  constructor(descriptor: number) {
    const options: SocketConstructorOpts & ConnectOpts = {
      fd: descriptor,
      readable: true,
      writable: false,
      onread: { buffer: this.#buffer, callback: (sizeBytes) => this.#received(sizeBytes) },
    };
    this.#socket = new Socket(options);
    this.#socket.once('end', () => this.#finish('at its end'));
    this.#socket.once('error', (error) => this.#finish(error));
    this.#socket.once('close', () => this.#finish(new Error('The pipe was closed before its end.')));
  }

  /** May be iterated once. Throws when the pipe breaks or is destroyed before its end. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (let sizeBytes = await this.#read(); sizeBytes > 0; sizeBytes = await this.#read()) {
        yield this.#buffer.subarray(0, sizeBytes);
      }
    } finally {
      this.destroy();
    }
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** 0 means the end. */
  #read(): Promise<number> {
    if (this.#unread > 0) {
      const sizeBytes = this.#unread;
      this.#unread = 0;
      return Promise.resolve(sizeBytes);
    }
    if (this.#state === 'at its end') return Promise.resolve(0);
    if (this.#state !== 'open') return Promise.reject(this.#state);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.resume();
    });
  }

  /** False: the socket pauses until the next read. */
  #received(sizeBytes: number): boolean {
    if (this.#waiting === undefined) this.#unread = sizeBytes;
    else this.#waiting.resolve(sizeBytes);
    this.#waiting = undefined;
    return false;
  }

  #finish(state: 'at its end' | Error): void {
    if (this.#state !== 'open') return;
    this.#state = state;
    if (state === 'at its end') this.#waiting?.resolve(0);
    else this.#waiting?.reject(state);
    this.#waiting = undefined;
  }
}
