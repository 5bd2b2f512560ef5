import { StowageError } from '../../errors.js';
import type { FoundSettings } from '../mysqlFamily/session/serverSettings.js';
import type { ServiceConnection } from '../serviceConnection.js';

/**
 * Accepts MySQL 8.0 and later. A server may report a false version (`--version=…`). So this checks for a variable that
 * only MySQL 8.0 and later have, and uses the reported version only in the message. Throws TOOL_VERSION.
 */
export async function refuseOtherThanMysql(
  { host, port }: ServiceConnection,
  askVersion: () => Promise<string>,
  found: FoundSettings,
): Promise<void> {
  if (found.has('information_schema_stats_expiry')) return;
  const version = (await askVersion()) || 'a server of an unknown version';
  const isMariadb = /mariadb/i.test(version);
  throw new StowageError(
    'TOOL_VERSION',
    isMariadb
      ? `The server at ${host}:${port} is MariaDB ${version.replace(/-mariadb/i, '')}, and not MySQL.`
      : `The server at ${host}:${port} is ${version}, and Stowage supports MySQL 8.0 and later.`,
    {
      help: isMariadb
        ? 'Give the service the engine MARIADB, or correct host and port.'
        : 'Upgrade the server to MySQL 8.0 or later, or correct host and port.',
      details: { version },
    },
  );
}
