import type { EventMetadata } from './event.js';
import type { Transaction } from './eventStore.js';

export type CommandRequest = {
  /** The name of the mutation. */
  readonly operation: string;
  /** The input of the client. Only its keyed hash is stored, because it may hold secrets. */
  readonly input: unknown;
  readonly subject: string;
  /** A commandId is unique within this project and the subject. Null: the command belongs to no project. */
  readonly projectId: string | null;
  readonly commandId?: string;
  readonly metadata: EventMetadata;
};

/** The stored result of a command: ids and flags, never a secret. */
export type CommandResult = { readonly [key: string]: string | number | boolean | null | readonly string[] };

/**
 * Runs a client's command. Repetitions with the same commandId are idempotent. The same commandId with the same input
 * returns the first result and appends nothing. With another input it throws IDEMPOTENCY_MISMATCH. The lookup comes
 * before `handler`, so it comes before any validation that uses the network. Only successful commands are stored.
 *
 * `handler` does the work that must come before the transaction, and then calls `commit` exactly once.
 */
export interface CommandHandling {
  handle<R extends CommandResult>(
    request: CommandRequest,
    handler: (commit: (work: (tx: Transaction) => Promise<R>) => Promise<R>) => Promise<R>,
  ): Promise<R>;
}
