import type { CheckStep } from '../../../check.js';
import { checkAnswerBytes } from '../../conversation/conversation.js';
import { trySteps, type StepToTry } from '../../../storage/checkSteps.js';
import { pipelinePrograms } from '../../pipeline/pipelinePrograms.js';
import { versionNumbers } from '../../process/programVersion.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { resolveServer } from '../../network/serverAddress.js';
import { listDatabases, selectDatabases } from '../catalog/catalog.js';
import {
  accountRoles,
  dumpRoles,
  readPrivileges,
  refuseMissingDumpPrivileges,
  type Privileges,
} from '../privileges/privileges.js';
import { createUserStatement, grantStatement } from '../privileges/statements.js';
import { membersOf, openSession } from '../session/members.js';
import { shortText, type Session } from '../session/session.js';
import { findMongodbTool } from '../tools/mongodbTools.js';
import { instantWarning, takesOplog, type MongodbSettings } from './preflight.js';

/** Validate: checks step by step how far a backup gets with this connection. Throws only the reason of the signal. */
export async function checkMongodb(
  connection: ServiceConnection,
  settings: MongodbSettings,
  options: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<readonly CheckStep[]> {
  let session: Session | undefined;
  const connecting: readonly StepToTry[] = [
    {
      name: 'RESOLVE',
      run: async () => {
        const found = await Promise.all(
          membersOf(connection).map(async ({ host }) => {
            const addresses = await resolveServer(host, settings.allowAddress);
            return `${host} is ${addresses.map(({ address }) => address).join(', ')}.`;
          }),
        );
        return found.join(' ');
      },
    },
    {
      // The login is part of this step, because only it shows which member suits.
      name: 'AUTHENTICATE',
      run: async (signal) => {
        session = await openSession(connection, 'READ', {
          ...settings,
          signal,
          connectTimeoutMs: options.timeoutMs,
          mostAnswerBytes: checkAnswerBytes,
        });
        return describeServer(session);
      },
    },
  ];
  const loggedIn = (): Session => {
    if (session === undefined) throw new Error('AUTHENTICATE comes before the steps that ask the server.');
    return session;
  };
  try {
    const steps = [...connecting, ...serverSteps(connection, settings, loggedIn)];
    return await trySteps(steps, { ...options, tooSlow: 'SERVICE_UNREACHABLE' });
  } finally {
    session?.close();
  }
}

function describeServer({ member, server }: Session): string {
  const kinds = {
    STANDALONE: 'a single server',
    PRIMARY: `the primary of the replica set '${server.replicaSet ?? ''}'`,
    SECONDARY: `a secondary of the replica set '${server.replicaSet ?? ''}'`,
    OTHER_MEMBER: 'a member that cannot be read',
    MONGOS: 'a router of a sharded cluster',
  } as const;
  return `Logged in as ${shortText(member.username ?? 'nobody')}; ${member.host}:${member.port} is MongoDB ${shortText(server.version)}, ${kinds[server.kind]}.`;
}

function serverSteps(
  connection: ServiceConnection,
  { tools }: MongodbSettings,
  loggedIn: () => Session,
): readonly StepToTry[] {
  return [
    {
      name: 'TOOL',
      run: async (signal) => {
        const { version } = await findMongodbTool('mongodump', tools, signal);
        const others = await versionNumbers(pipelinePrograms(tools), tools, signal);
        const named = Object.entries(others).map((each) => each.join(' '));
        return `${[`mongodump ${version}`, ...named].join(' and ')} are installed.`;
      },
    },
    {
      name: 'PRIVILEGES',
      run: async () => {
        const session = loggedIn();
        const databases = selectDatabases(await listDatabases(session), connection.databases);
        const all = connection.databases === null;
        await refuseMissingDumpPrivileges(session, databases, {
          all,
          withOplog: takesOplog(connection, session.server),
        });
        return [
          `All of ${databases.join(', ')} may be dumped.`,
          ...instantWarning(connection, session.server),
          ...adviseOnAccounts(session, await readPrivileges(session), connection.databases),
        ].join(' ');
      },
    },
  ];
}

function adviseOnAccounts(
  { member }: Session,
  privileges: Privileges,
  databases: readonly string[] | null,
): readonly string[] {
  if (!privileges.areChecked) return [openServer(databases)];
  const seesAll = ['users', 'roles'].every((kind) => privileges.holds('find', 'admin', `system.${kind}`));
  const seesOwn = databases?.every((db) => ['viewUser', 'viewRole'].every((action) => privileges.holds(action, db)));
  if (seesAll || seesOwn === true) return ['Users and roles may be read (includeUsers of a plan).'];
  const account = { user: member.username ?? '', authSource: member.authSource ?? 'admin' };
  const grant = grantStatement(account, accountRoles(databases));
  return [
    `Users and roles may not be read, so no backup contains them (includeUsers of a plan). To change this: ${grant}`,
  ];
}

function openServer(databases: readonly string[] | null): string {
  const account = { user: 'stowage', authSource: 'admin' };
  return `The server asks for no login, so everybody who reaches it may read it. With access control, this user could take backups: ${createUserStatement(account, dumpRoles(databases))}`;
}
