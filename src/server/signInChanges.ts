/**
 * Reports in this process whose sign-in or rights may have changed, by the subject of the viewer. Whoever learns of a change
 * in PostgreSQL reports it here, and each open WebSocket of the subject is checked again.
 */
export class SignInChanges {
  readonly #listeners = new Map<string, Set<() => void>>();
  #reported = 0;

  /** The number of reports so far, to notice a report that came while a sign-in was checked. */
  get reported(): number {
    return this.#reported;
  }

  /** Calls `listener` after each change. It must return immediately and must not throw. The result ends the subscription. */
  subscribe(subject: string, listener: () => void): () => void {
    const listeners = this.#listeners.get(subject) ?? new Set();
    // A new function for each subscription, because the same listener may subscribe twice.
    const own = () => listener();
    listeners.add(own);
    this.#listeners.set(subject, listeners);
    return () => {
      listeners.delete(own);
      if (listeners.size === 0 && this.#listeners.get(subject) === listeners) this.#listeners.delete(subject);
    };
  }

  /** Checks every open WebSocket, also if the report of a change was lost. */
  reportAll(): void {
    for (const subject of [...this.#listeners.keys()]) this.report(subject);
  }

  report(subject: string): void {
    this.#reported += 1;
    for (const listener of [...(this.#listeners.get(subject) ?? [])]) listener();
  }
}
