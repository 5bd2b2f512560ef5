import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/** All that a client may send before its sign-in, in all frames together. A connection_init with a long token fits. */
export const mostBytesBeforeSignIn = 8_192;

/** How long a client may take to answer the closing of its socket. */
const closingMs = 1_000;

type DataListener = (chunk: Buffer) => void;

/**
 * Closes the socket with 1009 when the client sends too much before its sign-in. Bytes of frames that are not complete count
 * too, and ws never gets what is too much, so that it collects nothing. Returns the function that ends the limit.
 */
export function limitBeforeSignIn(socket: WebSocket, stream: Duplex): () => void {
  const listeners = stream.listeners('data') as DataListener[];
  for (const listener of listeners) stream.off('data', listener);
  let bytes = 0;
  const count: DataListener = (chunk) => {
    bytes += chunk.length;
    if (bytes <= mostBytesBeforeSignIn) {
      for (const listener of listeners) listener.call(stream, chunk);
      return;
    }
    stream.off('data', count);
    // Nothing further is read, so the answer to the closing is not read either.
    socket.close(1009, 'Too much before connection_init');
    socket.pause();
    const timer = setTimeout(() => socket.terminate(), closingMs);
    socket.once('close', () => clearTimeout(timer));
  };
  stream.on('data', count);
  return () => {
    if (!stream.listeners('data').includes(count)) return;
    stream.off('data', count);
    for (const listener of listeners) stream.on('data', listener);
  };
}
