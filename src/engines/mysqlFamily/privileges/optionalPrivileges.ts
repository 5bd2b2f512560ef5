import type { ServiceConnection } from '../../serviceConnection.js';
import type { Session } from '../session/serverDialect.js';
import type { Grants } from './grants.js';
import { ownAccount } from './privileges.js';

/** A warning for a backup that should end when other sessions wait, but whose account cannot see them. */
export async function warnOfHiddenSessions(session: Session, grants: Grants): Promise<readonly string[]> {
  if (grants.holdsGlobally('PROCESS')) return [];
  return [
    `The user may not see which sessions wait for a backup, so a backup never ends for them. To change this, run: ${await grantOf(session, 'PROCESS ON *.*')}`,
  ];
}

/**
 * Sentences about privileges without which a backup succeeds but holds or sees less, each with the statement that grants them.
 */
export async function adviseOnOptionalPrivileges(
  session: Session,
  grants: Grants,
  { databases }: Pick<ServiceConnection, 'databases'>,
): Promise<readonly string[]> {
  const hidden = databases === null && !grants.holdsGlobally('SHOW DATABASES');
  const unknownHolders = session.dialect.locksAreTables && !grants.holds('SELECT', 'performance_schema');
  return [
    ...(hidden
      ? [
          `Databases that are hidden from the user are not in backups. To change this, run: ${await grantOf(session, 'SHOW DATABASES ON *.*')}`,
        ]
      : []),
    ...(await warnOfHiddenSessions(session, grants)),
    ...(unknownHolders
      ? [
          `The user may not see which session holds a lock for which a backup waits. To change this, run: ${await grantOf(session, 'SELECT ON `performance_schema`.*')}`,
        ]
      : []),
    ...(grants.holds('SELECT', 'mysql')
      ? []
      : [
          `The user may not read users and grants, so they are not part of backups. To change this, run: ${await grantOf(session, 'SELECT ON `mysql`.*')} The account can then read the hashes of passwords.`,
        ]),
  ];
}

async function grantOf(session: Session, what: string): Promise<string> {
  return `GRANT ${what} TO ${await ownAccount(session)};`;
}
