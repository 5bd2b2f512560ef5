import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/** All that a client may send before its sign-in, in all frames together. A connection_init with a long token fits. */
export const mostBytesBeforeSignIn = 16_384;

/** How long a client may take to answer the closing of its socket. */
const closingMs = 1_000;

/**
 * Closes the socket with 1009 when the client sends too much before its sign-in. Bytes of frames that are not complete count
 * too, so that they are never collected in memory. Returns the function that ends the limit.
 */
export function limitBeforeSignIn(socket: WebSocket, stream: Duplex): () => void {
  let bytes = 0;
  const count = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= mostBytesBeforeSignIn) return;
    stream.off('data', count);
    // Nothing further is read, so the answer to the closing is not read either.
    socket.close(1009, 'Too much before connection_init');
    socket.pause();
    const timer = setTimeout(() => socket.terminate(), closingMs);
    socket.once('close', () => clearTimeout(timer));
  };
  // Before the listener of ws, which collects the bytes of a frame.
  stream.prependListener('data', count);
  return () => stream.off('data', count);
}
