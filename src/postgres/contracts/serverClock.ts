/**
 * The time of the PostgreSQL server. All processes of an installation share it, so wrong clocks of their machines do no
 * harm. After a suspension of the machine it is behind for up to 10 s, until the next query of the server.
 */
export interface ServerClock {
  readonly now: () => Date;
  /** Ends the queries of the server. */
  stop(): void;
}
