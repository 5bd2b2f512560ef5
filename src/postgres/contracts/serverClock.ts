/**
 * The time of the PostgreSQL server, which all processes of an installation share, whatever the clocks of their machines
 * say. A machine that was suspended is behind until the server is asked again, within 10 s.
 */
export interface ServerClock {
  readonly now: () => Date;
  /** The server is not asked any more. */
  stop(): void;
}
