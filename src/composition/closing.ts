import type { Log } from '../log.js';

/**
 * What a composition has opened, to be closed in reverse order. One that fails to close does not keep the others open:
 * it is told of, and `close` rejects with the first failure at the end. Twice is once.
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

  /** Runs the rest of a start; when it fails, what was opened before is closed. */
  async guard<T>(start: () => Promise<T>): Promise<T> {
    try {
      return await start();
    } catch (error) {
      await this.close().catch(() => undefined); // each failure to close is in the log; why the start failed matters more
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
        this.log.error({ err: error }, `Could not be closed in order: ${name}.`);
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
