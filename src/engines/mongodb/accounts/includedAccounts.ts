import type { Inventory } from '../../inventory.js';
import type { PrepareDumpContext } from '../../runningDump.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { accountRoles } from '../privileges/privileges.js';
import { grantStatement } from '../privileges/statements.js';
import type { Session } from '../session/session.js';
import { accountScript, idOf } from './accountScript.js';
import { readAccounts, type Account } from './readAccounts.js';

/** The accounts for the backup, with the script that creates them. It may contain hashes of passwords. */
export type IncludedAccounts = { readonly accounts: readonly Account[]; readonly script: string };

/** Undefined: the backup contains no accounts, and a warning states the reason. */
export async function includedAccounts(
  session: Session,
  { databases }: Pick<ServiceConnection, 'databases'>,
  { includeUsers = 'NONE' }: Pick<PrepareDumpContext, 'includeUsers'>,
): Promise<{ readonly included: IncludedAccounts | undefined; readonly warnings: readonly string[] }> {
  if (includeUsers === 'NONE') return { included: undefined, warnings: [] };
  const hashes = includeUsers === 'WITH_PASSWORD_HASHES';
  const accounts = await readAccounts(session, { databases, hashes });
  if (accounts !== undefined)
    return { included: { accounts, script: accountScript(accounts, { hashes }) }, warnings: [] };
  const { username, authSource } = session.member;
  const because = `Users and roles are not part of this backup, because the user of the service may not read them, or the server knows none.`;
  if (username === null) return { included: undefined, warnings: [because] };
  const grant = grantStatement({ user: username, authSource: authSource ?? 'admin' }, accountRoles(databases));
  return {
    included: undefined,
    warnings: [`${because} Run in mongosh: ${grant} Or set includeUsers of the plan to NONE.`],
  };
}

export function withAccounts(inventory: Inventory, included: IncludedAccounts | undefined): Inventory {
  if (included === undefined) return inventory;
  const { accounts } = included;
  const named = (kind: Account['kind']) => accounts.filter((each) => each.kind === kind).map(idOf);
  const databases = inventory.databases.map((database) => ({
    ...database,
    grantees: [...new Set(accounts.filter((each) => concerns(each, database.name)).map(idOf))],
  }));
  return { ...inventory, databases, accounts: { users: named('users'), roles: named('roles') } };
}

/** The database defines the account, or one of its roles or privileges applies to the database. */
function concerns({ database, document }: Account, name: string): boolean {
  const listed = (field: string) => (Array.isArray(document[field]) ? (document[field] as readonly unknown[]) : []);
  return (
    database === name ||
    listed('roles').some((role) => (role as { readonly db?: unknown }).db === name) ||
    listed('privileges').some(
      (each) => (each as { readonly resource?: { readonly db?: unknown } }).resource?.db === name,
    )
  );
}
