export type Repeating = {
  start(): void;
  /** Starts another round at once, or as soon as the current one has ended. */
  wake(): void;
  /** Starts no further round, and waits for the current one. */
  stop(): Promise<void>;
};

/**
 * Runs `work` at the start, again `everyMs` after each round has ended, and whenever `wake` is called. Rounds never
 * overlap.
 */
export function startRepeating(options: {
  readonly everyMs: number;
  readonly work: () => Promise<unknown>;
  readonly onError: (error: unknown) => void;
}): Repeating {
  let state: 'NEW' | 'STARTED' | 'STOPPED' = 'NEW';
  let timer: NodeJS.Timeout | undefined;
  let round: Promise<void> | undefined;
  let again = false;

  const begin = () => {
    clearTimeout(timer);
    round = options
      .work()
      .then(() => undefined, options.onError)
      .then(() => {
        round = undefined;
        if (state !== 'STARTED') return;
        if (again) {
          again = false;
          begin();
        } else timer = setTimeout(begin, options.everyMs);
      });
  };

  return {
    start() {
      state = 'STARTED';
      begin();
    },
    wake() {
      if (state !== 'STARTED') return;
      if (round === undefined) begin();
      else again = true;
    },
    async stop() {
      state = 'STOPPED';
      clearTimeout(timer);
      await round;
    },
  };
}
