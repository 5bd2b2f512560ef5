/**
 * An iterator whose `return` first calls `leave`, so that a generator that waits for something is woken up and can end.
 * A generator alone ends only after what it waits for has come.
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
