/**
 * The chunks of a source, for a consumer that must not wait for a source that has gone silent: an abort ends the wait
 * at once, with the signal's reason, and tells the source that nobody reads on.
 */
export async function* interruptible(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  let ended = false;
  let interrupt: (reason: Error) => void = () => undefined;
  const onAbort = () => interrupt(signal.reason as Error);
  signal.addEventListener('abort', onAbort);
  try {
    for (;;) {
      signal.throwIfAborted();
      // A promise of its own for each chunk: a race with one long-lived promise would keep every chunk in memory.
      const next = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        interrupt = reject;
        iterator.next().then(resolve, reject);
      });
      if (next.done === true) {
        ended = true;
        return;
      }
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    // A generator that is stuck in an await answers `return` only when that await ends, so nobody waits for it here;
    // what it throws then belongs to a stream that was given up.
    if (!ended) void iterator.return?.().catch(() => undefined);
  }
}
