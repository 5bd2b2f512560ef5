/**
 * The time of the PostgreSQL server. All processes of an installation share it, so a wrong clock of a machine has no
 * effect. After a suspension of the machine it is behind for up to 10 s, until the next query of the server.
 */
export interface ServerClock {
  readonly now: () => Date;
  /** Stops querying the server. */
  stop(): void;
}
