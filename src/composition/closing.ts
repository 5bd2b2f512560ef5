import type { Log } from '../log.js';

/**
 * Closes the resources of a composition in reverse order. If one fails to close, the failure is logged, the others are still
 * closed, and `close` rejects with the first failure at the end. Idempotent.
 */
export class Closing {
  readonly #closers: { readonly name: string; readonly close: () => Promise<unknown> }[] = [];
  #closed: Promise<void> | undefined;

  constructor(private readonly log: Log) {}

  add(name: string, close: () => Promise<unknown>): void {
    this.#closers.push({ name, close });
  }

  close(): Promise<void> {
    this.#closed ??= this.#closeAll();
    return this.#closed;
  }

  /** Runs the rest of a start. If it fails, everything that was opened before is closed. */
  async guard<T>(start: () => Promise<T>): Promise<T> {
    try {
      return await start();
    } catch (error) {
      await this.close().catch(() => undefined); // Each failure to close is already in the log. The reason why the start failed matters more.
      throw error;
    }
  }

  async #closeAll(): Promise<void> {
    const failures: unknown[] = [];
    for (const { name, close } of this.#closers.reverse()) {
      try {
        await close();
        this.log.debug(`Closed: ${name}.`);
      } catch (error) {
        this.log.error({ err: error }, `Failed to close: ${name}.`);
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
