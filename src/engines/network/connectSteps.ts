import type { StepToTry } from '../../storage/checkSteps.js';
import type { ServiceConnection } from '../serviceConnection.js';
import { connectToServer, resolveServer, type AllowAddress, type ServerAddress } from './serverAddress.js';

type Reached = Awaited<ReturnType<typeof connectToServer>>;

/** The first steps of a check: the host is resolved, and one of its addresses answers. */
export function connectSteps(
  connection: ServiceConnection,
  { allowAddress, timeoutMs }: { readonly allowAddress: AllowAddress; readonly timeoutMs: number },
): {
  readonly steps: readonly StepToTry[];
  /** To be called by later steps. The socket is closed by `close`. */
  reached(): Reached;
  close(): void;
} {
  let addresses: readonly ServerAddress[] = [];
  let reached: Reached | undefined;
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
          reached = await connectToServer(connection, addresses, { signal, timeoutMs });
          return `${connection.host}:${connection.port} answers.`;
        },
      },
    ],
    reached() {
      if (reached === undefined) throw new Error('CONNECT comes before the steps that use the connection.');
      return reached;
    },
    close: () => reached?.socket.destroy(),
  };
}
