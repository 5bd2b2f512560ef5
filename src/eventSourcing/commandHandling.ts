import type { EventMetadata } from './event.js';
import type { Transaction } from './eventStore.js';

export type CommandRequest = {
  /** The name of the mutation. */
  readonly operation: string;
  /** What the client sent. Secret values inside are compared by keyed hash and stored nowhere. */
  readonly input: unknown;
  readonly subject: string;
  /** The scope of the commandId together with the subject; null for commands outside any project. */
  readonly projectId: string | null;
  readonly commandId?: string;
  readonly metadata: EventMetadata;
};

/** What is remembered of a command: ids and flags, never a secret. */
export type CommandResult = { readonly [key: string]: string | number | boolean | null | readonly string[] };

/**
 * Runs a client's command so that the same commandId with the same input answers the same result and appends nothing,
 * and with another input is IDEMPOTENCY_MISMATCH. It is looked up before `handler` runs, so before any validation that
 * goes to the network. Only successes are remembered.
 *
 * `handler` does what must come before the transaction and then calls `commit` exactly once.
 */
export interface CommandHandling {
  handle<R extends CommandResult>(
    request: CommandRequest,
    handler: (commit: (work: (tx: Transaction) => Promise<R>) => Promise<R>) => Promise<R>,
  ): Promise<R>;
}
