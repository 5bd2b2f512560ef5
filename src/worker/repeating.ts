export type Repeating = {
  start(): void;
  /** Works once more as soon as it can: at once, or when the round that runs has ended. */
  wake(): void;
  /** No round begins any more; waits for the one that runs. */
  stop(): Promise<void>;
};

/** Works at the start, then again `everyMs` after each round has ended, and whenever it is woken; never twice at once. */
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
