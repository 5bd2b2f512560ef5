/**
 * The chunks of a source, for a consumer that must not wait for a source that sends nothing. On abort it throws the
 * reason of the signal at once and calls `return` of the source.
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
      // Each chunk has its own promise, because a race with one long-lived promise would keep every chunk in memory.
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
    // A generator that waits in an `await` settles `return` only after that `await`. So this does not wait for it. If
    // the generator then throws, the error is ignored, because its stream is no longer read.
    if (!ended) void iterator.return?.().catch(() => undefined);
  }
}
