import type { CheckStep } from '../../../check.js';
import { trySteps, type StepToTry } from '../../../storage/checkSteps.js';
import { checkAnswerBytes } from '../../conversation/conversation.js';
import { connectSteps } from '../../network/connectSteps.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { listDatabases, selectDatabases, serversOwn } from '../catalog/databases.js';
import { countTables } from '../catalog/tables.js';
import { connectLine, openSessionAt, shortText, type Session, type SessionOptions } from '../session/session.js';
import type { PostgresqlSettings } from '../settings.js';
import { findPostgresqlTools, toolsForDump } from '../tools/postgresqlTools.js';
import { backupAccountStatements, restoreAccountAdvice } from './accountStatements.js';
import { refuseUndumpableTables } from './refuseUndumpableTables.js';
import { refuseUnfitServer } from './refuseUnfitServer.js';

/** Validate: checks step by step how far a backup gets with this connection. Throws only the reason of the signal. */
export async function checkPostgresql(
  connection: ServiceConnection,
  engine: PostgresqlSettings,
  options: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<readonly CheckStep[]> {
  const settings = { ...engine, mostAnswerBytes: checkAnswerBytes };
  const connecting = connectSteps(connection, settings.allowAddress, (server, signal) =>
    connectLine(connection, server, { ...settings, signal, timeoutMs: options.timeoutMs }),
  );
  let session: Session | undefined;
  const logInStep: StepToTry = {
    name: 'AUTHENTICATE',
    run: async (signal) => {
      const { server, line } = connecting.reached();
      const limits = { ...settings, signal, timeoutMs: options.timeoutMs };
      // The connection of the step before is used for the first database. Others need a new one.
      line.close();
      session = await openSessionAt(connection, [server], { ...limits, connectTimeoutMs: options.timeoutMs });
      return `Logged in as ${shortText(connection.username)}; the server is PostgreSQL ${session.version.text}.`;
    },
  };
  const loggedIn = (): Session => {
    if (session === undefined) throw new Error('AUTHENTICATE comes before the steps that ask the server.');
    return session;
  };
  try {
    const steps = [...connecting.steps, logInStep, ...serverSteps(connection, settings, loggedIn, options.signal)];
    return await trySteps(steps, { ...options, tooSlow: 'SERVICE_UNREACHABLE' });
  } finally {
    session?.close();
    connecting.close();
  }
}

function serverSteps(
  connection: ServiceConnection,
  settings: PostgresqlSettings & Pick<SessionOptions, 'mostAnswerBytes'>,
  loggedIn: () => Session,
  signal: AbortSignal,
): readonly StepToTry[] {
  return [
    {
      name: 'TOOL',
      run: async () => {
        const { version } = toolsForDump(await findPostgresqlTools(settings.tools, signal), loggedIn().version);
        return `pg_dump ${version} is used for this server.`;
      },
    },
    {
      name: 'PRIVILEGES',
      run: async () => {
        const first = loggedIn();
        const isTarget =
          connection.databases === null && (await listDatabases(first, null)).every(({ name }) => name === serversOwn);
        if (isTarget) {
          return `The server has no database to back up yet. Until it has one, backups end with EMPTY_DUMP. Backups of other services can be restored here. ${await restoreAccountAdvice(first)}`.trim();
        }
        const databases = await selectDatabases(first, connection.databases);
        for (const { name } of databases) {
          const session = await openSessionAt(connection, [first.server], { ...settings, signal }, name);
          try {
            await refuseUndumpableTables(session, await countTables(session));
          } finally {
            session.close();
          }
        }
        const advice = await backupAccountStatements(first);
        return [`All of ${databases.map(({ name }) => name).join(', ')} may be dumped.`, ...advice].join(' ');
      },
    },
    {
      name: 'SETTINGS',
      run: async () => {
        const warnings = await refuseUnfitServer(connection, loggedIn(), { ...settings, signal });
        return warnings.length === 0 ? 'No setting of the server ends a dump.' : warnings.join(' ');
      },
    },
  ];
}
