import type { CheckStep } from '../../../check.js';
import { trySteps, type StepToTry } from '../../../storage/checkSteps.js';
import { checkAnswerBytes } from '../../conversation/conversation.js';
import { connectSteps } from '../../network/connectSteps.js';
import { pipelinePrograms } from '../../pipeline/pipelinePrograms.js';
import { programVersion, versionNumbers } from '../../process/programVersion.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { readPrograms } from '../catalog/catalog.js';
import { listDatabases, selectDatabases, type ListedDatabase } from '../catalog/selection.js';
import { adviseOnAccounts } from '../privileges/accountStatements.js';
import { adviseOnOptionalPrivileges } from '../privileges/optionalPrivileges.js';
import { readGrants, refuseMissingDumpPrivileges } from '../privileges/privileges.js';
import { connectLine, logIn, shortText, type Session } from '../session/session.js';
import { serverVersion, type FamilySettings } from './preflight.js';
import { refuseSettingsThatSpoilDumps } from './settingsPreflight.js';

/**
 * The check is complete for a user who may create databases. For another user, existing databases may only be hidden.
 */
const onlyTarget =
  'This user sees only the databases of the system. Until the user sees another database, backups end with EMPTY_DUMP. Backups of other services can be restored here if the grants of the user allow it.';

/** Validate: checks step by step how far a backup gets with this connection. Throws only the reason of the signal. */
export async function checkServer(
  connection: ServiceConnection,
  settings: FamilySettings,
  options: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<readonly CheckStep[]> {
  const connecting = connectSteps(connection, settings.allowAddress, (server, signal) =>
    connectLine(connection, server, {
      ...{ ...settings, signal, timeoutMs: options.timeoutMs },
      mostAnswerBytes: checkAnswerBytes,
    }),
  );
  let session: Session | undefined;
  const logInStep: StepToTry = {
    name: 'AUTHENTICATE',
    run: async (signal) => {
      const { server, line } = connecting.reached();
      session = await logIn(connection, server, line, { ...settings, signal, timeoutMs: options.timeoutMs });
      const [row] = await session.query('SELECT VERSION() AS version, CURRENT_USER() AS account');
      return `Logged in as ${shortText(row?.['account'])}; the server is ${shortText(row?.['version'])}.`;
    },
  };
  const loggedIn = (): Session => {
    if (session === undefined) throw new Error('AUTHENTICATE comes before the steps that ask the server.');
    return session;
  };
  try {
    const steps = [...connecting.steps, logInStep, ...serverSteps(connection, settings, loggedIn)];
    return await trySteps(steps, { ...options, tooSlow: 'SERVICE_UNREACHABLE' });
  } finally {
    session?.close();
    connecting.close();
  }
}

function serverSteps(
  connection: ServiceConnection,
  { tools, dialect }: FamilySettings,
  loggedIn: () => Session,
): readonly StepToTry[] {
  let toolVersion = '';
  let databases: readonly ListedDatabase[] = [];
  return [
    {
      name: 'TOOL',
      run: async (signal) => {
        const { dump } = await dialect.findTools(tools, serverVersion(loggedIn()), signal);
        toolVersion = await programVersion(dump, tools, signal);
        const found = await versionNumbers({ [dialect.dumpTool]: dump, ...pipelinePrograms(tools) }, tools, signal);
        const named = Object.entries(found).map((each) => each.join(' '));
        return `${named.join(' and ')} are installed.`;
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
        const optional = await adviseOnOptionalPrivileges(loggedIn(), grants, connection);
        const release = dialect.releaseOf(serverVersion(loggedIn()));
        const advice = adviseOnAccounts(dialect, grants, { release, databases: connection.databases });
        return [`All of ${databases.map(({ name }) => name).join(', ')} may be dumped.`, ...optional, ...advice].join(
          ' ',
        );
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
  ];
}
