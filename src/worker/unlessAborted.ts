/**
 * What the work answers; the signal's reason as soon as it aborts, also where the work does not hear of it: a connection
 * that is half dead, or a disk that has gone, may never answer. Nobody waits for the work any more then.
 */
export async function unlessAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  return await new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    work()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', onAbort));
  });
}
