import { accountWords } from '../../mysqlFamily/privileges/accountWords.js';
import { quoteName } from '../../mysqlFamily/privileges/grants.js';
import type { Account, ShownAccount } from '../../mysqlFamily/privileges/readAccounts.js';

export type MariadbAccount = Account & { readonly defaultRole: string };

/** A hash that belongs to no known password. It keeps an account closed after somebody unlocked it. */
const noPassword = "IDENTIFIED BY PASSWORD '*0000000000000000000000000000000000000000'";

const withHashes = '-- Users, roles and grants, with the hashes of passwords.';
const withoutHashes = `-- Users, roles and grants, without passwords. Each new account is locked and has no password. To open one:
-- ALTER USER name IDENTIFIED BY 'password' ACCOUNT UNLOCK;`;

/**
 * The statements that create the accounts and their grants on another server. An existing account stays unchanged, except for
 * its grants. Without `hashes` no part of an authentication is left in the text. `locks`: the server knows ACCOUNT LOCK.
 */
export function accountStatements(
  accounts: readonly ShownAccount<MariadbAccount>[],
  { hashes, locks }: { readonly hashes: boolean; readonly locks: boolean },
): string {
  const roles = accounts.filter((account) => account.isRole && !isPublic(account));
  const created = accounts.flatMap(({ created: statement }) =>
    statement === undefined ? [] : [hashes ? ifNew(statement) : lockedUser(ifNew(statement), locks)],
  );
  // A role shows the grants of its own roles too, so the same line may occur several times.
  const grants = new Set(accounts.flatMap((account) => [...account.grants, ...defaultRole(account)]));
  const statements = [
    ...roles.map(({ user }) => `CREATE ROLE IF NOT EXISTS ${quoteName(user)}`),
    ...created,
    // The hash is in CREATE USER already.
    ...[...grants].map(withoutAuthentication),
  ];
  return [hashes ? withHashes : withoutHashes, ...statements.map((each) => `${each};`), ''].join('\n');
}

/** As an account is named in statements. */
export function accountName({ user, host, isRole }: MariadbAccount): string {
  if (isPublic({ user, isRole })) return 'PUBLIC';
  return isRole ? quoteName(user) : `${quoteName(user)}@${quoteName(host)}`;
}

/** Removes the login method, with its hashes, from CREATE USER or GRANT. */
export function withoutAuthentication(statement: string): string {
  const { before, after } = split(statement);
  return [...before, ...after].join(' ');
}

function lockedUser(statement: string, locks: boolean): string {
  const { before, after } = split(statement);
  const isLocked = after.some((word, place) => word === 'ACCOUNT' && after[place + 1] === 'LOCK');
  const expiry = after.findIndex((word, place) => word === 'PASSWORD' && after[place + 1] === 'EXPIRE');
  const end = expiry === -1 ? after.length : expiry;
  const lock = locks && !isLocked ? ['ACCOUNT', 'LOCK'] : [];
  return [...before, noPassword, ...after.slice(0, end), ...lock, ...after.slice(end)].join(' ');
}

/** The words before the login method, and those after it. Without a method, all clauses come after it. */
function split(statement: string): { readonly before: readonly string[]; readonly after: readonly string[] } {
  const words = accountWords(statement);
  const isClause = (word: string, place: number) =>
    /^(REQUIRE|WITH|ACCOUNT)$/.test(word) || (word === 'PASSWORD' && words[place + 1] === 'EXPIRE');
  const to = words.findLastIndex((word) => word.endsWith('`') || word === 'PUBLIC') + 1;
  const method = words.indexOf('IDENTIFIED', to);
  const from = words.findIndex((word, place) => place >= Math.max(to, method) && isClause(word, place));
  const end = method === -1 ? to : method;
  return { before: words.slice(0, end), after: from === -1 ? [] : words.slice(from) };
}

function ifNew(statement: string): string {
  return statement.replace(/^CREATE USER /, 'CREATE USER IF NOT EXISTS ');
}

/** Older servers do not list it among the grants. */
function defaultRole(account: ShownAccount<MariadbAccount>): readonly string[] {
  const isShown = account.grants.some((line) => line.startsWith('SET DEFAULT ROLE '));
  if (isShown || account.defaultRole === '') return [];
  return [`SET DEFAULT ROLE ${quoteName(account.defaultRole)} FOR ${accountName(account)}`];
}

/** The role of all users, which exists on each server since 10.11. */
function isPublic({ user, isRole }: Pick<Account, 'user' | 'isRole'>): boolean {
  return isRole && user === 'PUBLIC';
}
