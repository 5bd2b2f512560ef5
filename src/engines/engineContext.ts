export type EngineContext = {
  /** A folder that only this job uses, 0700, on tmpfs if there is one. The caller removes it afterwards. */
  readonly workFolder: string;
  /** When it aborts, the whole process group of the tool is killed. */
  readonly signal: AbortSignal;
  /** Called for each answer of the server, so that a long series of questions does not count as stalled. */
  readonly onAnswer?: () => void;
  /**
   * How long a session of an application may wait for a lock of this job before the job ends with SERVICE_BUSY. Null or
   * absent: no limit.
   */
  readonly lockPatienceMs?: number | null;
  /** How long the job waits for a lock of another session, which SERVICE_BUSY then names. Absent: no limit. */
  readonly lockWaitMs?: number;
};

export type InventoryContext = EngineContext & {
  /**
   * The time limit for counting rows. A table that is not counted by then keeps its estimate. 0: rows, sizes and times
   * are not read. Default 20 s.
   */
  readonly countingMs?: number;
};
