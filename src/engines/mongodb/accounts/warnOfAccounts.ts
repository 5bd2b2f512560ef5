import type { Inventory } from '../../inventory.js';
import { listed } from '../checks/losses.js';
import type { Session } from '../session/session.js';
import { idOf } from './accountScript.js';
import { readAccounts } from './readAccounts.js';

/** Names the users and roles of the databases of a backup that the target lacks. A restore creates none. */
export async function warnOfAccounts(session: Session, inventory: Inventory): Promise<readonly string[]> {
  const names = accountsOf(inventory);
  if (names.length === 0) return [];
  const databases = [...new Set(names.map(({ id }) => id.slice(0, id.indexOf('.'))))];
  const present = await readAccounts(session, { databases, hashes: false });
  const there = new Set(present?.map((account) => `${account.kind} ${idOf(account)}`));
  const missing = names.filter(({ kind, id }) => !there.has(`${kind} ${id}`));
  if (missing.length === 0) return [];
  const list = listed(missing.map(({ kind, id }) => `${kind === 'users' ? 'user' : 'role'} ${id}`));
  const way =
    inventory.accounts === undefined
      ? 'The inventory of the backup lists the rights of those that its databases define.'
      : "The part 'users' of the backup has the commands that create them.";
  const which =
    present === undefined ? 'The source had these users and roles' : 'The target lacks these users and roles';
  const unknown = present === undefined ? ' The user may not see whether the target has them.' : '';
  return [`${which}, which a restore does not create: ${list}.${unknown} ${way}`];
}

type NamedAccount = { readonly kind: 'users' | 'roles'; readonly id: string };

/** Those that a database defines, and those that have a role or a privilege on it. */
function accountsOf({ databases, accounts }: Inventory): readonly NamedAccount[] {
  const kinds = ['users', 'roles'] as const;
  const defined = databases.flatMap(({ name, objects }) =>
    kinds.flatMap((kind) => (objects[kind] ?? []).map((own): NamedAccount => ({ kind, id: `${name}.${own}` }))),
  );
  const granted = new Set(databases.flatMap(({ grantees = [] }) => grantees));
  const others = kinds.flatMap((kind) =>
    (accounts?.[kind] ?? []).filter((id) => granted.has(id)).map((id): NamedAccount => ({ kind, id })),
  );
  const all = new Map([...defined, ...others].map((each) => [`${each.kind} ${each.id}`, each]));
  return [...all.values()];
}
