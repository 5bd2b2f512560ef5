import { listIn, type Reply } from '../session/reply.js';
import { serverErrorNumber, type Session } from '../session/session.js';

/** A user or a role that is defined in a database. It is never in a dump of mongodump. */
export type Account = {
  /** The database that defines it. Users of certificates and of LDAP are in `$external`. */
  readonly database: string;
  readonly kind: 'users' | 'roles';
  readonly name: string;
  /** As the server stores it, in canonical Extended JSON. `credentials` are in it only if they were asked for. */
  readonly document: Reply;
};

type Wanted = {
  /** Null: the accounts of the whole server. Otherwise those that these databases define, or that have a role there. */
  readonly databases: readonly string[] | null;
  readonly hashes: boolean;
};

/** So many accounts are in one question. */
const batch = 500;

/** 13 Unauthorized; 59 and 115: the server knows no users. */
const notShown = new Set([13, 59, 115]);

/**
 * Reads the collections in which the server stores users and roles, which the role `backup` allows. A user without it
 * asks with usersInfo, and then sees only what the databases define. Undefined: the user may not see accounts, or the
 * server knows none.
 */
export async function readAccounts(session: Session, wanted: Wanted): Promise<readonly Account[] | undefined> {
  try {
    return [...(await stored(session, 'users', wanted)), ...(await stored(session, 'roles', wanted))];
  } catch (error) {
    if (!notShown.has(serverErrorNumber(error) ?? 0)) throw error;
  }
  try {
    return await shown(session, wanted);
  } catch (error) {
    if (!notShown.has(serverErrorNumber(error) ?? 0)) throw error;
    return undefined;
  }
}

async function stored(
  session: Session,
  kind: Account['kind'],
  { databases, hashes }: Wanted,
): Promise<readonly Account[]> {
  const own =
    databases === null
      ? {}
      : {
          $or: [
            { db: { $in: databases } },
            { 'roles.db': { $in: databases } },
            { 'privileges.resource.db': { $in: databases } },
          ],
        };
  const found: Account[] = [];
  for (let last: unknown = ''; ;) {
    const reply = await session.exactCommand('admin', {
      ...{ find: `system.${kind}`, filter: { $and: [own, { _id: { $gt: last } }] }, sort: { _id: 1 } },
      ...(hashes ? {} : { projection: { credentials: 0 } }),
      ...{ limit: batch, singleBatch: true },
    });
    const documents = listIn((reply['cursor'] ?? {}) as Reply, 'firstBatch');
    if (documents.length === 0) return found;
    found.push(...documents.map((document) => accountOf(kind, document)));
    last = documents.at(-1)?.['_id'];
  }
}

async function shown(session: Session, { databases, hashes }: Wanted): Promise<readonly Account[]> {
  const found: Account[] = [];
  for (const database of databases ?? ['admin']) {
    const of = databases === null ? { forAllDBs: true } : 1;
    const users = listIn(await session.exactCommand(database, { usersInfo: of, showCredentials: hashes }), 'users');
    found.push(...users.map((document) => accountOf('users', document)));
  }
  const withRestrictions = await restrictionsOf(session, found, hashes);
  const roles: Account[] = [];
  for (const database of databases ?? [...new Set(found.map((each) => each.database))]) {
    if (database === '$external') continue;
    const reply = await session.exactCommand(database, { rolesInfo: 1, showPrivileges: true });
    roles.push(...listIn(reply, 'roles').map((document) => accountOf('roles', document)));
  }
  return [...withRestrictions, ...roles];
}

/** The server shows from where a user may log in only if the question names the user. */
async function restrictionsOf(
  session: Session,
  users: readonly Account[],
  hashes: boolean,
): Promise<readonly Account[]> {
  const found: Account[] = [];
  for (let place = 0; place < users.length; place += batch) {
    const named = users.slice(place, place + batch).map(({ database, name }) => ({ user: name, db: database }));
    const reply = await session.exactCommand('admin', {
      ...{ usersInfo: named, showCredentials: hashes, showAuthenticationRestrictions: true },
    });
    found.push(...listIn(reply, 'users').map((document) => accountOf('users', document)));
  }
  return found;
}

function accountOf(kind: Account['kind'], document: Reply): Account {
  const name = kind === 'users' ? document['user'] : document['role'];
  return { kind, database: String(document['db']), name: String(name), document };
}
