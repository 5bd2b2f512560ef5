import type { Inventory } from '../../inventory.js';
import type { IncludedUsers } from '../../runningDump.js';
import { roleNeed } from '../catalog/inventory.js';
import { quoteName } from '../catalog/names.js';
import type { Session } from '../session/session.js';

/** What the part `globals` contains: tablespaces always, and roles as the plan asks and the account may read them. */
export type IncludedRoles = {
  readonly content: 'TABLESPACES' | 'ROLES' | 'ROLES_WITH_HASHES';
  /** Undefined: the part contains no roles. */
  readonly roles: ServerRoles | undefined;
  readonly warnings: readonly string[];
};

export type ServerRoles = {
  readonly names: NonNullable<Inventory['accounts']>;
  /** The direct members of each role. */
  readonly members: ReadonlyMap<string, readonly string[]>;
};

export async function includedRoles(session: Session, includeUsers: IncludedUsers): Promise<IncludedRoles> {
  if (includeUsers === 'NONE') {
    const warning =
      'Roles and their memberships are not part of this backup, because includeUsers of the plan is NONE.';
    return { content: 'TABLESPACES', roles: undefined, warnings: [warning] };
  }
  const roles = await readRoles(session);
  if (includeUsers === 'WITHOUT_PASSWORDS') return { content: 'ROLES', roles, warnings: [] };
  const [row] = await session.query(
    `SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS may, current_user AS me`,
  );
  if (row?.['may'] === 't') return { content: 'ROLES_WITH_HASHES', roles, warnings: [] };
  const grant =
    session.version.major >= 14
      ? `GRANT pg_read_all_data TO ${quoteName(row?.['me'] ?? '')};`
      : `GRANT SELECT ON pg_catalog.pg_authid TO ${quoteName(row?.['me'] ?? '')};`;
  const warning = `The backup contains no hashes of passwords, although its plan asks for them, because the account of the service may not read pg_authid in the database '${session.database}'. Run on the server: ${grant} Or set includeUsers of the plan to WITHOUT_PASSWORDS.`;
  return { content: 'ROLES', roles, warnings: [warning] };
}

/** Predefined roles exist on every server, so pg_dumpall leaves them out too. */
async function readRoles(session: Session): Promise<ServerRoles> {
  const rows = await session.query(
    `SELECT rolname AS name, rolcanlogin AS login FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY rolname COLLATE "C"`,
  );
  const named = (login: string) => rows.filter((row) => row['login'] === login).map((row) => row['name'] ?? '');
  const memberships = await session.query(
    `SELECT r.rolname AS role, m.rolname AS member FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member`,
  );
  const members = new Map<string, string[]>();
  for (const row of memberships) {
    const role = row['role'] ?? '';
    members.set(role, [...(members.get(role) ?? []), row['member'] ?? '']);
  }
  return { names: { users: named('t'), roles: named('f') }, members };
}

/** Adds the names of the roles, and for each database those that have privileges in it, also through other roles. */
export function withRoles(inventory: Inventory, roles: ServerRoles | undefined): Inventory {
  if (roles === undefined) return inventory;
  const databases = inventory.databases.map((database) => ({
    ...database,
    grantees: withMembers(
      Object.keys(database.needs ?? {}).flatMap((need) =>
        need.startsWith(roleNeed) ? [need.slice(roleNeed.length)] : [],
      ),
      roles.members,
    ),
  }));
  return { ...inventory, databases, accounts: roles.names };
}

/** These roles and their members, their members' members and so on, without predefined roles. */
function withMembers(roles: readonly string[], members: ServerRoles['members']): readonly string[] {
  const found = new Set(roles);
  // A set also iterates over what is added meanwhile.
  for (const role of found) for (const member of members.get(role) ?? []) found.add(member);
  return [...found].filter((role) => !role.startsWith('pg_')).sort();
}
