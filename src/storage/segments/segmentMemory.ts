/**
 * The memory for segments that are being sent. All uploads of a process share it, and it has one limit. A segment is
 * kept until the storage has confirmed it, so that it can be sent again. Blocks are reused.
 *
 * An upload can always take its reserved memory, so that no upload waits for the end of another. It can take more only
 * if enough stays free for all reservations. `totalBytes` is exceeded only when the reservations alone exceed it.
 */
export class SegmentMemory {
  readonly #free: Buffer[] = [];
  readonly #reservations = new Set<Reservation>();
  #waiting: Waiting[] = [];

  constructor(
    private readonly totalBytes: number,
    readonly blockBytes: number,
  ) {}

  reserve(bytes: number): Reservation {
    const reservation = new Reservation(this, Math.ceil(bytes / this.blockBytes));
    this.#reservations.add(reservation);
    return reservation;
  }

  take(reservation: Reservation, signal: AbortSignal): Promise<Buffer> {
    if (this.#mayTake(reservation)) return Promise.resolve(this.#handOut(reservation));
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        reservation,
        resolve: (block) => {
          signal.removeEventListener('abort', onAbort);
          resolve(block);
        },
      };
      const onAbort = () => {
        this.#waiting = this.#waiting.filter((one) => one !== waiting);
        reject(signal.reason as Error);
      };
      if (signal.aborted) {
        onAbort();
        return;
      }
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(waiting);
    });
  }

  give(reservation: Reservation, blocks: readonly Buffer[]): void {
    reservation.heldBlocks -= blocks.length;
    this.#free.push(...blocks);
    this.#serve();
  }

  end(reservation: Reservation): void {
    this.#reservations.delete(reservation);
    if (this.#reservations.size === 0) this.#free.length = 0;
    this.#serve();
  }

  #serve(): void {
    const still: Waiting[] = [];
    for (const waiting of this.#waiting) {
      if (this.#mayTake(waiting.reservation)) waiting.resolve(this.#handOut(waiting.reservation));
      else still.push(waiting);
    }
    this.#waiting = still;
  }

  #mayTake(reservation: Reservation): boolean {
    if (reservation.heldBlocks < reservation.reservedBlocks) return true;
    const promised = [...this.#reservations].reduce(
      (sum, { heldBlocks, reservedBlocks }) => sum + Math.max(heldBlocks, reservedBlocks),
      0,
    );
    return (promised + 1) * this.blockBytes <= this.totalBytes;
  }

  #handOut(reservation: Reservation): Buffer {
    reservation.heldBlocks += 1;
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.blockBytes);
  }
}

/** The memory that one upload may hold. */
export class Reservation {
  heldBlocks = 0;

  constructor(
    private readonly memory: SegmentMemory,
    readonly reservedBlocks: number,
  ) {}

  get blockBytes(): number {
    return this.memory.blockBytes;
  }

  /** Waits until a block is free. Rejects with the reason of the signal on abort. */
  take(signal: AbortSignal): Promise<Buffer> {
    return this.memory.take(this, signal);
  }

  give(blocks: readonly Buffer[]): void {
    this.memory.give(this, blocks);
  }

  /** Call it after every block was returned. */
  end(): void {
    this.memory.end(this);
  }
}

type Waiting = { readonly reservation: Reservation; readonly resolve: (block: Buffer) => void };
