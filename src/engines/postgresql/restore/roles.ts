import { StowageError } from '../../../errors.js';
import type { Inventory } from '../../inventory.js';
import { ownerNeed, roleNeed } from '../catalog/inventory.js';
import { quoteName } from '../catalog/names.js';
import type { Session } from '../session/session.js';

/** The roles that objects of these databases belong to or are granted to. */
export function neededRoles(inventory: Inventory): readonly string[] {
  return namesOf(inventory, roleNeed);
}

/** The roles of which the account of a restore must be a member. */
export function owningRoles(inventory: Inventory): readonly string[] {
  return namesOf(inventory, ownerNeed);
}

function namesOf({ databases }: Inventory, kind: string): readonly string[] {
  const needs = databases.flatMap(({ needs: all = {} }) => Object.keys(all));
  return [...new Set(needs.filter((need) => need.startsWith(kind)).map((need) => need.slice(kind.length)))].sort();
}

/** The needed roles that the target does not have. */
export async function missingRoles(session: Session, inventory: Inventory): Promise<readonly string[]> {
  return notThere(session, neededRoles(inventory));
}

/** The members of needed roles that the target does not have. A restore does not create them. */
export async function missingMembers(session: Session, inventory: Inventory): Promise<readonly string[]> {
  const needed = new Set(neededRoles(inventory));
  const grantees = new Set(inventory.databases.flatMap(({ grantees: each = [] }) => each));
  return notThere(
    session,
    [...grantees].filter((role) => !needed.has(role)),
  );
}

async function notThere(session: Session, names: readonly string[]): Promise<readonly string[]> {
  const rows = await session.query(
    'SELECT needed FROM unnest($1::text[]) AS needed WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = needed)',
    [names],
  );
  return rows
    .map((row) => row['needed'] ?? '')
    .filter((role) => !role.startsWith('pg_'))
    .sort();
}

/** Throws SERVICE_PRIVILEGE with the statements if roles are missing and the account may not create them. */
export async function refuseUncreatableRoles(session: Session, missing: readonly string[]): Promise<void> {
  if (missing.length === 0) return;
  const [row] = await session.query(
    'SELECT rolsuper OR rolcreaterole AS may FROM pg_roles WHERE rolname = current_user',
  );
  if (row?.['may'] === 't') return;
  throw new StowageError(
    'SERVICE_PRIVILEGE',
    `The target does not have the role${missing.length === 1 ? '' : 's'} ${missing.join(', ')}, and the account may not create roles.`,
    {
      help: `Run on the target: ${missing.map((role) => `CREATE ROLE ${quoteName(role)} NOLOGIN;`).join(' ')} Or let the account create roles: ALTER ROLE … CREATEROLE.`,
      details: { roles: missing },
    },
  );
}

/** Without the roles a restore loses owners, privileges and policies, and a REVOKE of the same object too. */
export function rolesWarning(missing: readonly string[]): readonly string[] {
  if (missing.length === 0) return [];
  const them = missing.length === 1 ? 'this role' : 'these roles';
  return [
    `The target did not have ${them}, so the restore creates ${missing.length === 1 ? 'it' : 'them'}, without a password, without the right to log in and without members: ${missing.join(', ')}. The part globals of the backup has the attributes of the source.`,
  ];
}

export function membersWarning(missing: readonly string[]): readonly string[] {
  if (missing.length === 0) return [];
  const others = missing.length - 50;
  const names = others > 0 ? `${missing.slice(0, 50).join(', ')} and ${others} more` : missing.join(', ');
  return [
    `Roles that have privileges on the databases of the backup through other roles, and do not exist on the target: ${names}. The restore does not create them. The part globals of the backup has their statements.`,
  ];
}

/** Creates each role by itself, because another restore may be creating the same one. */
export async function createRoles(session: Session, missing: readonly string[]): Promise<void> {
  for (const role of missing) {
    try {
      await session.query(`CREATE ROLE ${quoteName(role)} NOLOGIN`);
    } catch (error) {
      const [row] = await session.query('SELECT 1 AS found FROM pg_roles WHERE rolname = $1', [role]);
      if (row === undefined) throw error;
    }
  }
}

/**
 * Makes the account a member of the roles that own objects, because only a member may give an object to a role. A superuser
 * needs no membership. Throws SERVICE_PRIVILEGE.
 */
export async function joinOwners(session: Session, roles: readonly string[]): Promise<void> {
  const inherits = session.version.major >= 16 ? ' WITH INHERIT TRUE, SET TRUE' : '';
  const rows = await session.query(
    `SELECT r.rolname AS role, quote_ident(current_user) AS me FROM pg_roles r
      WHERE r.rolname = ANY ($1::text[]) AND r.rolname <> current_user
        AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AND NOT pg_has_role(current_user, r.oid, 'USAGE')`,
    [roles],
  );
  for (const row of rows) {
    const [role, me] = [row['role'] ?? '', row['me'] ?? ''];
    try {
      await session.query(`GRANT ${quoteName(role)} TO ${me}${inherits}`);
    } catch (error) {
      throw new StowageError(
        'SERVICE_PRIVILEGE',
        `The account may not give objects to the role '${role}', which owns objects of the backup or grants privileges on them.`,
        { help: `Run on the target: GRANT ${quoteName(role)} TO ${me}${inherits};`, cause: error },
      );
    }
  }
}
