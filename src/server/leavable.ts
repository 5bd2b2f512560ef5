/**
 * An iterator whose `return` first calls `leave`. `leave` must settle the promise that the generator awaits. Without
 * it, `return` of a generator takes effect only after the awaited promise has settled.
 */
export function leavable<Item>(
  generator: AsyncGenerator<Item, void, undefined>,
  leave: () => void,
): AsyncIterableIterator<Item, undefined> {
  const iterator: AsyncIterableIterator<Item, undefined> = {
    async next() {
      const { done, value } = await generator.next();
      return done === true ? { done: true, value: undefined } : { done: false, value };
    },
    async return() {
      leave();
      await generator.return();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return iterator;
    },
  };
  return iterator;
}
