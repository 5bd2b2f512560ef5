import type { StepToTry } from '../../storage/checkSteps.js';
import type { ServiceConnection } from '../serviceConnection.js';
import { connectToServer, resolveServer, type AllowAddress, type ServerAddress } from './serverAddress.js';

/** A server that answered, and the connection to it. */
type Reached<T> = { readonly server: ServerAddress; readonly line: T };

/** The first steps of a check: they resolve the host, and connect to one of its addresses. */
export function connectSteps<T extends { close(): void }>(
  connection: ServiceConnection,
  allowAddress: AllowAddress,
  connect: (server: ServerAddress, signal: AbortSignal) => Promise<T>,
): {
  readonly steps: readonly StepToTry[];
  /** Later steps call this. `close` closes the connection. */
  reached(): Reached<T>;
  close(): void;
} {
  let addresses: readonly ServerAddress[] = [];
  let reached: Reached<T> | undefined;
  return {
    steps: [
      {
        name: 'RESOLVE',
        run: async () => {
          addresses = await resolveServer(connection.host, allowAddress);
          return `${connection.host} is ${addresses.map(({ address }) => address).join(', ')}.`;
        },
      },
      {
        name: 'CONNECT',
        run: async (signal) => {
          reached = await connectToServer(connection, addresses, signal, (server) => connect(server, signal));
          return `${connection.host}:${connection.port} answers.`;
        },
      },
    ],
    reached() {
      if (reached === undefined) throw new Error('CONNECT comes before the steps that use the connection.');
      return reached;
    },
    close: () => reached?.line.close(),
  };
}
