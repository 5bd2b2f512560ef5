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
  const aborted = abortion(signal);
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted.promise]);
      if (next.done === true) {
        ended = true;
        return;
      }
      yield next.value;
    }
  } finally {
    aborted.forget();
    // A generator that is stuck in an await answers `return` only when that await ends, so nobody waits for it here;
    // what it throws then belongs to a stream that was given up.
    if (!ended) void iterator.return?.().catch(() => undefined);
  }
}

function abortion(signal: AbortSignal): { promise: Promise<never>; forget: () => void } {
  let onAbort: () => void = () => undefined;
  const promise = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  promise.catch(() => undefined);
  return { promise, forget: () => signal.removeEventListener('abort', onAbort) };
}
