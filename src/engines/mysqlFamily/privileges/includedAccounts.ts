import type { Inventory } from '../../inventory.js';
import type { PrepareDumpContext } from '../../runningDump.js';
import { listed } from '../checks/listed.js';
import type { Dialect } from '../dialect.js';
import type { Session } from '../session/serverDialect.js';
import type { Accounts } from './accounts.js';
import type { Grants } from './grants.js';
import { ownAccount } from './privileges.js';

/** The accounts for the backup. Undefined: the backup contains none, and a warning states the reason. */
export async function includedAccounts(
  session: Session,
  { readAccounts }: Pick<Dialect, 'readAccounts'>,
  grants: Grants,
  { includeUsers = 'NONE' }: Pick<PrepareDumpContext, 'includeUsers'>,
): Promise<{ readonly accounts: Accounts | undefined; readonly warnings: readonly string[] }> {
  const missing = 'Users and their grants are not part of this backup';
  if (includeUsers === 'NONE' || readAccounts === undefined) return { accounts: undefined, warnings: [`${missing}.`] };
  if (!grants.holds('SELECT', 'mysql')) {
    const grant = `GRANT SELECT ON \`mysql\`.* TO ${await ownAccount(session)};`;
    const sentence = `${missing}, because the account of the service may not read them. Run on the server: ${grant} Or set includeUsers of the plan to NONE.`;
    return { accounts: undefined, warnings: [sentence] };
  }
  const accounts = await readAccounts(session, includeUsers);
  const unread = 'These accounts are not in this backup, because the server does not use them (skip_name_resolve)';
  return { accounts, warnings: listed(accounts.unread, unread) };
}

export function withAccounts(inventory: Inventory, accounts: Accounts | undefined): Inventory {
  if (accounts === undefined) return inventory;
  const databases = inventory.databases.map((database) => ({
    ...database,
    grantees: accounts.granteesOf(database.name),
  }));
  return { ...inventory, databases, accounts: accounts.names };
}
