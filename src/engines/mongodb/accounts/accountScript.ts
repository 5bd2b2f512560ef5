import type { Account } from './readAccounts.js';

const withHashes = `// Users and roles, with the hashes of passwords, for mongosh. It needs the roles restore and userAdminAnyDatabase on admin.
// An account that exists already stays unchanged.`;
const withoutHashes = `// Users and roles, without passwords, for mongosh, which asks for a new password of each user.
// An account that exists already stays unchanged.`;

/**
 * A script for mongosh that creates the accounts which a server lacks. A role gets its own roles when all roles exist.
 * No command of MongoDB creates a user with a hash, so such users are inserted as mongorestore inserts them.
 */
export function accountScript(accounts: readonly Account[], { hashes }: { readonly hashes: boolean }): string {
  const roles = accounts.filter(({ kind }) => kind === 'roles');
  const users = accounts.filter(({ kind }) => kind === 'users');
  return [
    hashes ? withHashes : withoutHashes,
    'const newRoles = [];',
    ...roles.map(createRole),
    ...roles.flatMap(grantRoles),
    ...users.map((user) => (hashes ? insertUser(user) : createUser(user))),
    '',
  ].join('\n');
}

function createRole(role: Account): string {
  const { privileges = [], authenticationRestrictions } = role.document;
  const fields = { role: role.name, privileges, roles: [], ...restricted(authenticationRestrictions) };
  return `if (!${databaseOf(role)}.getRole(${text(role.name)})) { ${databaseOf(role)}.createRole(${document(fields)}); newRoles.push(${text(idOf(role))}); }`;
}

function grantRoles(role: Account): readonly string[] {
  const { roles } = role.document;
  if (!Array.isArray(roles) || roles.length === 0) return [];
  return [
    `if (newRoles.includes(${text(idOf(role))})) ${databaseOf(role)}.grantRolesToRole(${text(role.name)}, ${document(roles)});`,
  ];
}

function createUser(user: Account): string {
  const { roles = [], customData, authenticationRestrictions } = user.document;
  const fields = {
    ...{ user: user.name, roles },
    ...(customData === undefined ? {} : { customData }),
    ...restricted(authenticationRestrictions),
  };
  // A user of $external has no password in the server.
  const pwd = user.database === '$external' ? '' : ', pwd: passwordPrompt()';
  return `if (!${databaseOf(user)}.getUser(${text(user.name)})) ${databaseOf(user)}.createUser({ ...${document(fields)}${pwd} });`;
}

function insertUser(user: Account): string {
  const { document: found } = user;
  const stored = ['userId', 'credentials', 'roles', 'customData', 'authenticationRestrictions'];
  const fields = {
    ...{ _id: idOf(user), user: user.name, db: user.database },
    ...Object.fromEntries(stored.flatMap((name) => (name in found ? [[name, found[name]]] : []))),
  };
  return `if (!${databaseOf(user)}.getUser(${text(user.name)})) db.getSiblingDB("admin").getCollection("system.users").insertOne(${document(fields)});`;
}

function restricted(restrictions: unknown): object {
  return Array.isArray(restrictions) && restrictions.length > 0 ? { authenticationRestrictions: restrictions } : {};
}

/** The name by which a server tells accounts apart. The name of a database has no dot. */
export function idOf({ database, name }: Pick<Account, 'database' | 'name'>): string {
  return `${database}.${name}`;
}

function databaseOf({ database }: Account): string {
  return `db.getSiblingDB(${text(database)})`;
}

/** A value in canonical Extended JSON, so that mongosh keeps every type. */
function document(value: unknown): string {
  return `EJSON.deserialize(${text(value)})`;
}

function text(value: unknown): string {
  return JSON.stringify(value);
}
