import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { QueuedBytes } from '../fairness/queuedBytes.js';
import { FrameBoundaries } from './frameBoundaries.js';

/** All that a client may send before its sign-in, in all frames together. A connection_init with a long token fits. */
export const mostBytesBeforeSignIn = 8_192;

/** The memory that a chunk takes besides its bytes. Otherwise a message that is sent byte by byte takes 200 times its size. */
const overheadOfChunk = 256;

type DataListener = (chunk: Buffer) => void;

/** Call it when the client has signed in. */
type EndOfLimitBeforeSignIn = (viewerKey: string) => void;

/**
 * Limits what ws collects of incomplete messages. Before the sign-in all bytes count, and a socket that sends too much is
 * closed with 1009. After it a message of `maxMessageBytes` fits, if it is not sent in tiny chunks. `unfinished` limits the
 * incomplete messages of all sockets of a viewer: the socket that exceeds it is closed with 1013. ws never gets what is too
 * much.
 */
export function limitUnfinished(
  socket: WebSocket,
  stream: Duplex,
  { maxMessageBytes, unfinished }: { readonly maxMessageBytes: number; readonly unfinished: QueuedBytes },
): EndOfLimitBeforeSignIn {
  const listeners = stream.listeners('data') as DataListener[];
  for (const listener of listeners) stream.off('data', listener);
  const frames = new FrameBoundaries();
  let key: string | undefined;
  let cost = 0;
  let forget: () => void = () => undefined;

  const refusal = (chunk: Buffer): readonly [code: number, reason: string] | undefined => {
    frames.read(chunk);
    if (key === undefined) {
      cost += Math.max(chunk.length, overheadOfChunk);
      return cost > mostBytesBeforeSignIn ? [1009, 'Too much before connection_init'] : undefined;
    }
    cost = frames.isBetweenMessages ? 0 : cost + chunk.length + overheadOfChunk;
    forget();
    if (cost === 0) return undefined;
    forget = unfinished.add(key, cost);
    // Twice, because the usual chunks of a message have an overhead too.
    if (cost > 2 * maxMessageBytes) return [1009, 'A message in too many small parts'];
    return unfinished.hasRoom(key) ? undefined : [1013, 'Try again later: too many incomplete messages'];
  };
  const check: DataListener = (chunk) => {
    const refused = refusal(chunk);
    if (refused === undefined) {
      for (const listener of listeners) listener.call(stream, chunk);
      return;
    }
    stream.off('data', check);
    // Nothing further is read, also not the answer to the closing: what is read would stay in memory for a while.
    socket.close(...refused);
    stream.end(() => stream.destroy());
  };
  stream.on('data', check);
  socket.once('close', () => forget());
  return (viewerKey) => {
    key = viewerKey;
    cost = 0;
  };
}
