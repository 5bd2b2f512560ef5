import type { Socket } from 'node:net';

/** The values that can be sent between the two processes. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json | undefined };

/** A value of a row, as text. */
export type Value = string | null;

/** The reason why a question has no answer: the error of the client library, without the statement. */
export type DriverError = {
  readonly message: string;
  /** For example `ECONNREFUSED`, or a name of the client library. */
  readonly code?: string;
  /** The server's own number. */
  readonly errno?: number;
  readonly sqlState?: string;
  /** The server's own sentence. */
  readonly sqlMessage?: string;
};

/** Receives the answer to one question. Ends with one call of `done` or `fail`; later calls do nothing. */
export type AnswerSink = {
  /** The names of the columns of the rows that follow. An answer may hold several sets of rows. */
  columns(names: readonly string[]): void;
  row(values: readonly Value[]): void;
  done(): void;
  fail(error: unknown): void;
};

/** One connection to a server, in the process that talks to it. */
export type DriverConnection = {
  /** `login` comes from the engine. The driver and its engine define its form. */
  logIn(login: Json, answer: AnswerSink): void;
  ask(question: string, values: readonly Json[], answer: AnswerSink): void;
  /** Stops reading until `resume`, because the other process is slower than the server. */
  pause(): void;
  resume(): void;
  /** Ends the connection at once. */
  close(): void;
};

/**
 * The client library of one kind of server. It runs in a separate process: an exception ends only that process, and its
 * memory counts for the limit of that process. A module of a driver exports it as `driver`.
 */
export type Driver = {
  /** Takes over a connected socket. `onLost` is called when the connection breaks while no question waits. */
  converse(socket: Socket, onLost: (error: unknown) => void): DriverConnection;
};
