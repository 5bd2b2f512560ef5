/** An answer of the server. Numbers, texts, lists and documents: types that JSON lacks are never needed. */
export type Reply = Readonly<Record<string, unknown>>;

export type QuestionLimits = {
  /** The time limit for an answer. After it the session is closed. Default 120 s. */
  readonly timeoutMs?: number;
};

/** Sends a command to a database. Throws an error of the server as a StowageError. */
export type RunCommand = (database: string, command: object, limits?: QuestionLimits) => Promise<Reply>;

/** The list in a field of an answer. */
export function listIn(reply: Reply, field: string): readonly Reply[] {
  const value = reply[field];
  return Array.isArray(value) ? (value as readonly Reply[]) : [];
}

/** The number in a field of an answer. Undefined: there is none. */
export function numberIn(reply: Reply, field: string): number | undefined {
  const value = reply[field];
  return typeof value === 'number' ? value : undefined;
}
