import { StowageError } from '../../../errors.js';
import { listIn, type Reply } from '../session/reply.js';
import { serverErrorNumber, type Session } from '../session/session.js';
import { createUserStatement, grantStatement, type Role } from './statements.js';

/** What the user of a session may do. `holds` is always true on a server without access control. */
export type Privileges = {
  /** Whether the server checks rights, and knows the user. */
  readonly areChecked: boolean;
  /** `database` null: an action on the whole deployment. Without `collection`: on every collection of the database. */
  holds(action: string, database: string | null, collection?: string): boolean;
};

export async function readPrivileges(session: Session): Promise<Privileges> {
  const status = await session
    .command('admin', { connectionStatus: 1, showPrivileges: true })
    .catch((error: unknown): Reply => {
      if (serverErrorNumber(error) === undefined) throw error;
      return {};
    });
  const info = (status['authInfo'] ?? {}) as Reply;
  if (listIn(info, 'authenticatedUsers').length === 0) {
    return { areChecked: false, holds: () => true };
  }
  const all = listIn(info, 'authenticatedUserPrivileges').map(({ resource, actions }) => ({
    resource: resource as Resource,
    actions: new Set(actions as readonly string[]),
  }));
  return {
    areChecked: true,
    holds: (action, database, collection = '') =>
      all.some(
        ({ resource, actions }) =>
          (actions.has(action) || actions.has('anyAction')) && covers(resource, database, collection),
      ),
  };
}

type Resource = {
  readonly db?: string;
  readonly collection?: string;
  readonly cluster?: boolean;
  readonly anyResource?: boolean;
};

/** An empty name of a database or collection means all of them, except for collections of the system. */
function covers(resource: Resource, database: string | null, collection: string): boolean {
  if (resource.anyResource === true) return true;
  if (database === null) return resource.cluster === true;
  if (resource.db === undefined || resource.cluster === true) return false;
  if (resource.db !== database && resource.db !== '') return false;
  return resource.collection === collection || (resource.collection === '' && !collection.startsWith('system.'));
}

/** The rights that a dump needs. `withOplog`: of the whole replica set. */
const dumpActions = ['find', 'listCollections', 'listIndexes'] as const;

/** Throws SERVICE_PRIVILEGE naming each missing right, and the command that grants the roles. */
export async function refuseMissingDumpPrivileges(
  session: Session,
  databases: readonly string[],
  { all, withOplog }: { readonly all: boolean; readonly withOplog: boolean },
): Promise<void> {
  const privileges = await readPrivileges(session);
  const missing = databases.flatMap((database) =>
    dumpActions.filter((action) => !privileges.holds(action, database)).map((action) => `${action} on '${database}'`),
  );
  if (all && !privileges.holds('listDatabases', null)) missing.push('listDatabases on the cluster');
  if (withOplog && !privileges.holds('find', 'local', 'oplog.rs')) missing.push("find on 'local.oplog.rs'");
  if (missing.length > 0) refuse(session, 'a complete dump', missing, dumpRoles(all ? null : databases));
}

const restoreActions = [
  'createCollection',
  'createIndex',
  'insert',
  'find',
  'dropCollection',
  'bypassDocumentValidation',
  'listCollections',
  'listIndexes',
] as const;

/** Throws SERVICE_PRIVILEGE. `withOplog`: the backup has an oplog, which is replayed with applyOps. */
export async function refuseMissingRestorePrivileges(
  session: Session,
  databases: readonly string[],
  { withOplog }: { readonly withOplog: boolean },
): Promise<void> {
  const privileges = await readPrivileges(session);
  const missing = databases.flatMap((database) =>
    restoreActions
      .filter((action) => !privileges.holds(action, database))
      .map((action) => `${action} on '${database}'`),
  );
  if (withOplog && !privileges.holds('anyAction', 'any', 'any')) missing.push('anyAction on anyResource');
  if (missing.length > 0) refuse(session, 'the restore', missing, restoreRoles(databases, withOplog));
}

/** The least roles of a user for backups. `databases` null: all. */
export function dumpRoles(databases: readonly string[] | null): readonly Role[] {
  return databases === null ? [{ role: 'backup', db: 'admin' }] : databases.map((db) => ({ role: 'read', db }));
}

/** The least roles of a user that reads users and roles. `databases` null: those of the whole server. */
export function accountRoles(databases: readonly string[] | null): readonly Role[] {
  return databases === null ? dumpRoles(null) : databases.map((db) => ({ role: 'stowageAccounts', db }));
}

/** The least roles of a user for restores into these databases. */
export function restoreRoles(databases: readonly string[], withOplog: boolean): readonly Role[] {
  return [
    ...databases.flatMap((db) => ['readWrite', 'dbAdmin'].map((role) => ({ role, db }))),
    ...(withOplog ? [{ role: 'stowageReplay', db: 'admin' }] : []),
  ];
}

function refuse(session: Session, forWhat: string, missing: readonly string[], roles: readonly Role[]): never {
  const { username, authSource } = session.member;
  const shown = missing.slice(0, 20).join(', ');
  const more = missing.length > 20 ? ` and ${missing.length - 20} more` : '';
  const account = { user: username ?? '', authSource: authSource ?? 'admin' };
  const statement =
    username === null ? createUserStatement({ ...account, user: 'stowage' }, roles) : grantStatement(account, roles);
  throw new StowageError(
    'SERVICE_PRIVILEGE',
    `The user '${username ?? ''}' lacks what ${forWhat} needs: ${shown}${more}.`,
    { help: `Run in mongosh: ${statement}`, details: { missing, statements: [statement] } },
  );
}
