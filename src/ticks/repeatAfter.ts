/** Runs `round` at the start, and again `ms` after the beginning of each round. Rounds never overlap. `round` must not throw. */
export function repeatAfter(ms: number, round: () => Promise<void>) {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let stopped = false;

  function begin(): Promise<void> {
    postpone(ms);
    return (running = round().finally(() => (running = undefined)));
  }

  /** The next round begins after this time. */
  function postpone(pauseMs: number): void {
    clearTimeout(timer);
    if (stopped) return;
    timer = setTimeout(() => {
      // If a round is still running, it counts as this round.
      if (running === undefined) void begin();
      else postpone(pauseMs);
    }, pauseMs);
  }

  return {
    start: begin,
    postpone,
    async stop(): Promise<void> {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
