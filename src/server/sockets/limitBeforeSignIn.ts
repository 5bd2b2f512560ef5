import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/** All that a client may send before its sign-in, in all frames together. A connection_init with a long token fits. */
export const mostBytesBeforeSignIn = 8_192;

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
    // Nothing further is read, also not the answer to the closing: what is read would stay in memory for a while.
    socket.close(1009, 'Too much before connection_init');
    stream.end(() => stream.destroy());
  };
  stream.on('data', count);
  return () => {
    if (!stream.listeners('data').includes(count)) return;
    stream.off('data', count);
    for (const listener of listeners) stream.on('data', listener);
  };
}
