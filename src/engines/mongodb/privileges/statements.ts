/** A role, and the database in which it is defined or to which it applies. */
export type Role = { readonly role: string; readonly db: string };

type Account = { readonly user: string; readonly authSource: string };

/** The command that creates a user with these roles, for mongosh. It asks for the password. */
export function createUserStatement({ user, authSource }: Account, roles: readonly Role[]): string {
  return `${before(roles)}db.getSiblingDB(${text(authSource)}).createUser({ user: ${text(user)}, pwd: passwordPrompt(), roles: ${list(roles)} })`;
}

/** The command that gives an existing user these roles, for mongosh. */
export function grantStatement({ user, authSource }: Account, roles: readonly Role[]): string {
  return `${before(roles)}db.getSiblingDB(${text(authSource)}).grantRolesToUser(${text(user)}, ${list(roles)})`;
}

/** No role of MongoDB itself may run applyOps, which replays an oplog, or only see accounts. */
function before(roles: readonly Role[]): string {
  return roles
    .flatMap(({ role, db }) => {
      const privileges = ownRoles.get(role)?.(db);
      if (privileges === undefined) return [];
      return `db.getSiblingDB(${text(db)}).createRole({ role: ${text(role)}, privileges: [${privileges}], roles: [] }); `;
    })
    .join('');
}

/** The privileges of the roles that Stowage suggests, by name. */
const ownRoles: ReadonlyMap<string, (db: string) => string> = new Map([
  ['stowageReplay', () => '{ resource: { anyResource: true }, actions: ["anyAction"] }'],
  [
    'stowageAccounts',
    (db: string) => `{ resource: { db: ${text(db)}, collection: "" }, actions: ["viewUser", "viewRole"] }`,
  ],
]);

function list(roles: readonly Role[]): string {
  return `[${roles.map(({ role, db }) => `{ role: ${text(role)}, db: ${text(db)} }`).join(', ')}]`;
}

function text(value: string): string {
  return JSON.stringify(value);
}
