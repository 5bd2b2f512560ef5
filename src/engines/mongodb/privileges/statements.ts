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

/** No role of MongoDB itself may run applyOps, which replays an oplog. */
function before(roles: readonly Role[]): string {
  if (!roles.some(({ role }) => role === 'stowageReplay')) return '';
  return 'db.getSiblingDB("admin").createRole({ role: "stowageReplay", privileges: [{ resource: { anyResource: true }, actions: ["anyAction"] }], roles: [] }); ';
}

function list(roles: readonly Role[]): string {
  return `[${roles.map(({ role, db }) => `{ role: ${text(role)}, db: ${text(db)} }`).join(', ')}]`;
}

function text(value: string): string {
  return JSON.stringify(value);
}
