import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';

/** A hostile server on a free port of 127.0.0.1. */
export type HostileServer = { readonly port: number; readonly stop: () => Promise<void> };

/** Starts to listen. `stop` also ends the sockets that are in `sockets` at that time. */
export async function listening(server: Server, sockets: ReadonlySet<Socket>): Promise<HostileServer> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
