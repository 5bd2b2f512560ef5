/**
 * The chunks of a source, of which up to about `limitBytes` are read before they are requested. So the source continues
 * while the consumer is busy. An error of the source is thrown after all chunks before it.
 */
export async function* readAhead(
  source: AsyncIterable<Uint8Array>,
  limitBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  const held: Uint8Array[] = [];
  let heldBytes = 0;
  const end: { state: 'OPEN' | 'ENDED' | { readonly error: unknown } } = { state: 'OPEN' };
  let isAbandoned = false;
  let onChange: () => void = () => undefined;
  let onRoom: () => void = () => undefined;

  const read = async (): Promise<void> => {
    for (;;) {
      while (heldBytes >= limitBytes && !isAbandoned) await new Promise<void>((resolve) => (onRoom = resolve));
      if (isAbandoned) return;
      const next = await iterator.next();
      if (next.done === true) return;
      held.push(next.value);
      heldBytes += next.value.length;
      onChange();
    }
  };
  void read()
    .then(
      () => (end.state = 'ENDED'),
      (error: unknown) => (end.state = { error }),
    )
    .finally(() => onChange());

  try {
    for (;;) {
      const chunk = held.shift();
      if (chunk !== undefined) {
        heldBytes -= chunk.length;
        onRoom();
        yield chunk;
      } else if (end.state === 'OPEN') await new Promise<void>((resolve) => (onChange = resolve));
      else if (end.state === 'ENDED') return;
      else throw end.state.error;
    }
  } finally {
    isAbandoned = true;
    onRoom();
    // A generator that waits in an `await` settles `return` only after that `await`, so this does not wait for it.
    void iterator.return?.().catch(() => undefined);
  }
}
