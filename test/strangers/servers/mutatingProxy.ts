import { connect, createServer, type Socket } from 'node:net';
import { listening, type HostileServer } from './hostileServer.js';

/**
 * A proxy in front of a real server that changes the server's bytes, depending on `seed`. In each connection it flips,
 * drops, repeats or inserts bytes at one to three positions of the first kilobytes, or cuts the stream.
 */
export async function startMutatingProxy(targetPort: number, seed: number): Promise<HostileServer> {
  const random = generator(seed);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(targetPort, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream);
    const places = Array.from({ length: 1 + random(3) }, () => random(2 ** (4 + random(9)))).sort((a, b) => a - b);
    let passed = 0;
    upstream.on('data', (chunk: Buffer) => {
      const from = passed;
      passed += chunk.length;
      let bytes = chunk;
      for (const place of places.filter((each) => each >= from && each < passed)) {
        bytes = mutated(bytes, place - from, random);
      }
      if (!client.destroyed) client.write(bytes);
    });
  });
  return listening(server, sockets);
}

type Random = (below: number) => number;

function mutated(bytes: Buffer, place: number, random: Random): Buffer {
  const [before, after] = [bytes.subarray(0, place), bytes.subarray(place)];
  const length = 1 + random(16);
  switch (random(6)) {
    case 0:
      return Buffer.concat([before, after.map((byte, index) => (index === 0 ? byte ^ (1 << random(8)) : byte))]);
    case 1:
      return Buffer.concat([before, after.subarray(length)]);
    case 2:
      return Buffer.concat([before, after.subarray(0, length), after]);
    case 3:
      return Buffer.concat([before, Buffer.from(Array.from({ length }, () => random(256))), after]);
    case 4:
      return Buffer.concat([before, Buffer.alloc(Math.min(length, after.length), 0xff), after.subarray(length)]);
    default:
      return before;
  }
}

/** Park and Miller's generator. */
function generator(seed: number): Random {
  let state = (seed % 2_147_483_646) + 1;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}
