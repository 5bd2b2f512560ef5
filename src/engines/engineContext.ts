export type EngineContext = {
  /** A folder of the job alone, 0700, on tmpfs where there is one; removed afterwards by whoever made it. */
  readonly workFolder: string;
  /** Aborting kills the tool's whole process group. */
  readonly signal: AbortSignal;
  /** Called for each answer of the server: a long series of questions is told from silence by it. */
  readonly onAnswer?: () => void;
  /**
   * How long a session of somebody else may wait for a lock of ours before we give way (SERVICE_BUSY). Null, or left out:
   * as long as it takes.
   */
  readonly lockPatienceMs?: number | null;
  /** How long we wait for a lock of somebody else (SERVICE_BUSY, naming who holds it). Left out: as long as it takes. */
  readonly lockWaitMs?: number;
};

export type InventoryContext = EngineContext & {
  /**
   * How long rows may be counted; what does not fit in stays an estimate. 0: rows, sizes and times are not asked for.
   * Default 20 s.
   */
  readonly countingMs?: number;
};
