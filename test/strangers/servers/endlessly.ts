import type { Socket } from 'node:net';

export const mebibyte = 1024 * 1024;

/** Writes as fast as the other side reads, until the connection ends. */
export function forEver(socket: Socket, bytes: Buffer): void {
  const write = (): void => {
    while (!socket.destroyed) {
      if (!socket.write(bytes)) {
        socket.once('drain', write);
        return;
      }
    }
  };
  write();
}

/** Writes one byte a second. */
export function dribble(socket: Socket, bytes: Buffer): void {
  let sent = 0;
  const timer = setInterval(() => {
    if (socket.destroyed || sent >= bytes.length) clearInterval(timer);
    else socket.write(bytes.subarray(sent, (sent += 1)));
  }, 1_000);
}

/** From a generator with a fixed seed, so that a failure repeats. */
export function randomBytes(length: number): Buffer {
  let state = 42;
  return Buffer.from(Array.from({ length }, () => (state = (state * 1_103_515_245 + 12_345) & 0x7fffffff) >> 16));
}
