import { trySteps } from '../../../storage/checkSteps.js';
import type { CheckStep } from '../../../check.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { readPrograms } from '../catalog/catalog.js';
import { findMariadbTools, versionNumber, versionOf } from '../tools/mariadbTools.js';
import { readGrants, refuseMissingDumpPrivileges, warnOfHiddenSessions } from '../privileges/privileges.js';
import { listDatabases, selectDatabases, type ListedDatabase } from '../catalog/selection.js';
import { refuseSettingsThatSpoilDumps } from './settingsPreflight.js';
import { connectToServer, resolveServer, type AllowAddress, type ServerAddress } from '../../network/serverAddress.js';
import { logIn, type Session } from '../session/session.js';

/** For a user who may make databases: from one who may not, those that are there may only be hidden. */
const onlyTarget =
  'This user sees no database but the system’s own: there is nothing to back up yet, and backups end with EMPTY_DUMP until there is. Backups of other services can be restored here, as far as the user’s grants go.';

/** Validate: how far one gets with this connection, step by step. Throws only the signal's reason. */
export async function checkMariadb(
  connection: ServiceConnection,
  settings: { readonly allowAddress: AllowAddress; readonly toolsPath: readonly string[] },
  options: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<readonly CheckStep[]> {
  const where = `${connection.host}:${connection.port}`;
  let addresses: readonly ServerAddress[] = [];
  let reached: Awaited<ReturnType<typeof connectToServer>> | undefined;
  let session: Session | undefined;
  let toolVersion = '';
  let databases: readonly ListedDatabase[] = [];
  const loggedIn = (): Session => {
    if (session === undefined) throw new Error('AUTHENTICATE comes before the steps that ask the server.');
    return session;
  };
  try {
    return await trySteps(
      [
        {
          name: 'RESOLVE',
          run: async () => {
            addresses = await resolveServer(connection.host, settings.allowAddress);
            return `${connection.host} is ${addresses.map(({ address }) => address).join(', ')}.`;
          },
        },
        {
          name: 'CONNECT',
          run: async (signal) => {
            reached = await connectToServer(connection, addresses, { signal, timeoutMs: options.timeoutMs });
            return `${where} answers.`;
          },
        },
        {
          name: 'AUTHENTICATE',
          run: async (signal) => {
            if (reached === undefined) throw new Error('CONNECT comes before AUTHENTICATE.');
            const { server, socket } = reached;
            session = await logIn(connection, server, socket, { signal, timeoutMs: options.timeoutMs });
            const [row] = await session.query('SELECT VERSION() AS version, CURRENT_USER() AS account');
            return `Logged in as ${row?.['account'] ?? ''}; the server is ${row?.['version'] ?? ''}.`;
          },
        },
        {
          name: 'TOOL',
          run: async (signal) => {
            const tools = findMariadbTools(settings.toolsPath);
            const [dump, zstd] = [await versionOf(tools.dump, signal), await versionOf(tools.zstd, signal)];
            toolVersion = dump;
            return `mariadb-dump ${versionNumber(dump)} and zstd ${versionNumber(zstd)} are installed.`;
          },
        },
        {
          name: 'PRIVILEGES',
          run: async () => {
            const listed = await listDatabases(loggedIn());
            const grants = await readGrants(loggedIn());
            if (connection.databases === null && listed.length === 0 && grants.makesDatabases) return onlyTarget;
            databases = selectDatabases(listed, connection.databases);
            await refuseMissingDumpPrivileges(loggedIn(), await readPrograms(loggedIn(), databases), grants);
            const hidden = await warnOfHiddenSessions(loggedIn(), grants);
            return [`All of ${databases.map(({ name }) => name).join(', ')} may be dumped.`, ...hidden].join(' ');
          },
        },
        {
          name: 'SETTINGS',
          run: async () => {
            if (databases.length === 0) return null;
            await refuseSettingsThatSpoilDumps(loggedIn(), databases, toolVersion);
            return 'No setting of the server cuts or changes a dump.';
          },
        },
      ],
      { ...options, tooSlow: 'SERVICE_UNREACHABLE' },
    );
  } finally {
    session?.close();
    reached?.socket.destroy();
  }
}
