/**
 * The limits per second for the messages of one socket, and for the operations among these. A burst may have twice as
 * many.
 */
export type PaceLimits = { readonly messagesPerSecond: number; readonly operationsPerSecond: number };

/** The part of a WebSocket that a pace needs. */
export type PacedSocket = { pause(): void; resume(): void };

/**
 * Handles the messages of one socket no faster than its limits allow. Nothing is refused: while messages wait, the
 * socket is not read, so the sender waits too. Other clients are not affected.
 */
export class Pace {
  readonly #messages: Bucket;
  readonly #operations: Bucket;
  readonly #waiting: string[] = [];
  readonly #wake = new AbortController();
  #isRunning = false;

  constructor(
    private readonly socket: PacedSocket,
    limits: PaceLimits,
    /** Resolves when the client may send more, because it has read enough of its messages. */
    private readonly hasRead: () => Promise<void> | undefined,
    private readonly handle: (text: string) => void,
  ) {
    this.#messages = new Bucket(limits.messagesPerSecond);
    this.#operations = new Bucket(limits.operationsPerSecond);
  }

  take(text: string): void {
    this.#waiting.push(text);
    if (!this.#isRunning) void this.#run();
  }

  /** Forgets the messages that wait. */
  stop(): void {
    this.#waiting.length = 0;
    this.#wake.abort();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    let isPaused = false;
    for (let text = this.#waiting.shift(); text !== undefined; text = this.#waiting.shift()) {
      const unread = this.hasRead();
      const waitMs = Math.max(
        this.#messages.take(),
        // Not every text with this word is an operation, but every operation has it.
        text.includes('"subscribe"') ? this.#operations.take() : 0,
      );
      if (!isPaused && (unread !== undefined || waitMs > 0)) {
        isPaused = true;
        this.socket.pause();
      }
      if (unread !== undefined) await unread;
      if (waitMs > 0) await this.#pause(waitMs);
      if (this.#wake.signal.aborted) return;
      this.handle(text);
    }
    this.#isRunning = false;
    if (isPaused) this.socket.resume();
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(end, ms);
      const { signal } = this.#wake;
      signal.addEventListener('abort', end, { once: true });
      function end(): void {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        resolve();
      }
    });
  }
}

/** A token bucket. It fills at a constant rate, and holds the tokens of two seconds. */
class Bucket {
  #tokens: number;
  #at = performance.now();

  constructor(private readonly perSecond: number) {
    this.#tokens = 2 * perSecond;
  }

  /** Takes one token. Returns the milliseconds until the token is available. */
  take(): number {
    const now = performance.now();
    this.#tokens = Math.min(2 * this.perSecond, this.#tokens + ((now - this.#at) / 1_000) * this.perSecond);
    this.#at = now;
    this.#tokens -= 1;
    return this.#tokens >= 0 ? 0 : (-this.#tokens / this.perSecond) * 1_000;
  }
}
