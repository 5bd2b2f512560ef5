/**
 * Settles as `work` does, or rejects with the reason of the signal as soon as it aborts. It rejects even if `work`
 * ignores the signal, because a broken connection or a removed disk may never answer. The result of `work` is then
 * dropped.
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
