import { lookup } from 'node:dns/promises';
import { StowageError } from '../../errors.js';
import type { ServiceConnection } from '../serviceConnection.js';
import { ConversationError } from '../conversation/answer.js';
import { processEnded } from '../conversation/messages.js';
import { isError } from '../../isError.js';
import { targetNotAllowedHelp } from '../../storage/allowedTargets.js';

/** Decides whether this installation may connect to this IP address, to which `host` resolved. */
export type AllowAddress = (address: string, host: string) => boolean;

/** An address that was resolved once, is allowed, and has answered. */
export type ServerAddress = { readonly address: string };

/**
 * Resolves the host. All its addresses must be allowed. The caller connects to one of them and never resolves the host
 * again, because a second answer could be another address. Throws SERVICE_UNREACHABLE for an unknown host and for an
 * address that is not allowed.
 */
export async function resolveServer(host: string, allowAddress: AllowAddress): Promise<readonly ServerAddress[]> {
  const found = await lookup(host, { all: true }).catch((error: unknown) => {
    throw new StowageError('SERVICE_UNREACHABLE', `The name of the host '${host}' cannot be resolved.`, {
      help: 'Check the spelling of the host, and that this machine can resolve names of its network.',
      cause: error,
    });
  });
  const refused = found.find(({ address }) => !allowAddress(address, host));
  if (refused !== undefined) {
    throw new StowageError(
      'SERVICE_UNREACHABLE',
      // The message omits the address, which may be a secret of the network of this installation.
      `This installation may not connect to the host '${host}'.`,
      {
        help: targetNotAllowedHelp,
        retriable: false,
      },
    );
  }
  if (found.length === 0) throw new StowageError('SERVICE_UNREACHABLE', `The host '${host}' has no address.`);
  return found;
}

/**
 * Connects to the first address that answers. `connect` makes the connection to one address; the caller closes it. Throws
 * SERVICE_UNREACHABLE.
 */
export async function connectToServer<T>(
  connection: ServiceConnection,
  addresses: readonly ServerAddress[],
  signal: AbortSignal,
  connect: (server: ServerAddress) => Promise<T>,
): Promise<{ readonly server: ServerAddress; readonly line: T }> {
  let last: unknown;
  for (const server of addresses) {
    try {
      return { server, line: await connect(server) };
    } catch (error) {
      signal.throwIfAborted();
      last = error;
    }
  }
  throw unreachable(connection, last);
}

function unreachable(connection: ServiceConnection, error: unknown): StowageError {
  const where = `${connection.host}:${connection.port}`;
  if (error instanceof ConversationError && error.code === processEnded) {
    return new StowageError('SERVICE_UNREACHABLE', `The conversation with ${where} ended unexpectedly.`, {
      cause: error,
    });
  }
  const code = isError(error) && 'code' in error ? error.code : undefined;
  const [message, help] =
    code === 'ECONNREFUSED'
      ? [
          `Nothing listens at ${where}.`,
          'Check the port, and that the database server runs and listens on this address.',
        ]
      : code === 'ETIMEDOUT'
        ? [`${where} does not answer.`, 'Check host and port, and that no firewall blocks the connection.']
        : [`${where} cannot be reached (${String(code ?? error)}).`, 'Check host, port and network.'];
  return new StowageError('SERVICE_UNREACHABLE', message, { help, cause: error });
}
