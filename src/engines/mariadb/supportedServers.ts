import { StowageError } from '../../errors.js';
import type { ServiceConnection } from '../serviceConnection.js';
import type { FoundSettings } from '../mysqlFamily/session/serverSettings.js';

/**
 * Accepts MariaDB 10.2 and later. A server may report a false version (`--version=…`). So this checks for a variable
 * that 10.2 introduced, and uses the reported version only in the message. Throws TOOL_VERSION.
 */
export async function refuseUnsupportedServer(
  { host, port }: ServiceConnection,
  askVersion: () => Promise<string>,
  found: FoundSettings,
): Promise<void> {
  if (found.has('check_constraint_checks')) return;
  const version = (await askVersion()) || 'a server of an unknown version';
  const mariadb = /mariadb/i.test(version);
  throw new StowageError(
    'TOOL_VERSION',
    mariadb
      ? `The server at ${host}:${port} is MariaDB ${version}, and Stowage supports only 10.2 and later.`
      : `The server at ${host}:${port} is ${version}, which is not MariaDB 10.2 or later.`,
    {
      help: mariadb
        ? 'Upgrade the server to MariaDB 10.2 or later.'
        : 'A service with the engine MARIADB needs a MariaDB server. Correct host and port, or choose the engine of this server.',
      details: { version },
    },
  );
}
