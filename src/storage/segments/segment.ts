import { createHash } from 'node:crypto';
import type { HttpBody } from '../http/httpClient.js';
import type { Reservation } from './segmentMemory.js';

/** The size of one piece of a body. It is small enough that a slow connection can send it within the time limit. */
const pieceBytes = 256 * 1024;

/** One segment of a large object in memory. It is filled, and then kept until the storage has confirmed it. */
export class Segment {
  readonly #md5 = createHash('md5');
  #blocks: Buffer[] = [];
  #sizeBytes = 0;

  constructor(
    /** Counts from 0. */
    readonly index: number,
    private readonly capacityBytes: number,
    private readonly memory: Reservation,
  ) {}

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get isFull(): boolean {
    return this.#sizeBytes === this.capacityBytes;
  }

  /** Copies as many bytes as fit, at most up to the end of a block. Returns how many were copied. */
  async fill(bytes: Uint8Array, signal: AbortSignal): Promise<number> {
    const used = this.#sizeBytes % this.memory.blockBytes;
    if (used === 0) this.#blocks.push(await this.memory.take(signal));
    const block = this.#blocks.at(-1);
    const room = Math.min(this.memory.blockBytes - used, this.capacityBytes - this.#sizeBytes);
    const piece = bytes.subarray(0, room);
    block?.set(piece, used);
    this.#md5.update(piece);
    this.#sizeBytes += piece.byteLength;
    return piece.byteLength;
  }

  /** Hex. Call it once, after the last `fill`. */
  md5(): string {
    return this.#md5.digest('hex');
  }

  /** The bytes, which can be sent several times. `onSent` receives how many bytes the connection has accepted. */
  body(onSent: (sentBytes: number) => void): HttpBody {
    return { sizeBytes: this.#sizeBytes, pieces: () => this.#pieces(onSent) };
  }

  /** Returns the memory. After this the segment cannot be sent. */
  free(): void {
    this.memory.give(this.#blocks);
    this.#blocks = [];
  }

  *#pieces(onSent: (sentBytes: number) => void): Generator<Uint8Array, void, undefined> {
    let sent = 0;
    for (const block of this.#blocks) {
      const end = Math.min(block.length, this.#sizeBytes - sent);
      for (let at = 0; at < end; at += pieceBytes) {
        const piece = block.subarray(at, Math.min(at + pieceBytes, end));
        yield piece;
        sent += piece.length;
        onSent(sent);
      }
    }
  }
}
