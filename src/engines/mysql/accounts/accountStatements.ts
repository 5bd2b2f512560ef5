import { accountWords, placeOf } from '../../mysqlFamily/privileges/accountWords.js';
import { quoteName } from '../../mysqlFamily/privileges/grants.js';
import type { Account, ShownAccount } from '../../mysqlFamily/privileges/readAccounts.js';

/** MySQL gives this hash, which belongs to no password, to its own accounts. It keeps an account closed after an unlock. */
const noPassword =
  "IDENTIFIED WITH 'caching_sha2_password' AS '$A$005$THISISACOMBINATIONOFINVALIDSALTANDPASSWORDTHATMUSTNEVERBRBEUSED'";

const withHashes = '-- Users, roles and grants, with the hashes of passwords.';
const withoutHashes = `-- Users, roles and grants, without passwords. Each new account is locked and has no password. To open one:
-- ALTER USER name IDENTIFIED BY 'password' ACCOUNT UNLOCK;`;
const partialRevokes = '-- The REVOKE statements need partial_revokes=ON on the server.';

/**
 * The statements that create the accounts and their grants on another server. An existing account stays unchanged, except for
 * its grants and its default roles. Without `hashes` no part of an authentication is left in the text.
 */
export function accountStatements(accounts: readonly ShownAccount[], hashes: boolean): string {
  const created = accounts.flatMap((account) => creation(account, hashes));
  const grants = [...new Set(accounts.flatMap((account) => account.grants))];
  const revokes = grants.filter((line) => line.startsWith('REVOKE '));
  const statements = [
    ...created,
    ...grants.filter((line) => !line.startsWith('REVOKE ')),
    ...accounts.flatMap(defaultRoles),
    ...revokes,
  ];
  return [
    hashes ? withHashes : withoutHashes,
    ...(revokes.length > 0 ? [partialRevokes] : []),
    ...statements.map((each) => `${each};`),
    '',
  ].join('\n');
}

/** As an account is named in statements. */
export function accountName({ user, host }: Pick<Account, 'user' | 'host'>): string {
  return `${quoteName(user)}@${quoteName(host)}`;
}

function creation(account: ShownAccount, hashes: boolean): readonly string[] {
  if (account.isRole) return [`CREATE ROLE IF NOT EXISTS ${accountName(account)}`];
  const { method, clauses } = split(account);
  if (hashes) return [['CREATE USER IF NOT EXISTS', accountName(account), ...method, ...clauses].join(' ')];
  const lock = placeOf(clauses, ['ACCOUNT', 'UNLOCK']);
  const locked = clauses.map((word, place) => (lock >= 0 && place === lock + 1 ? 'LOCK' : word));
  return [['CREATE USER IF NOT EXISTS', accountName(account), noPassword, ...locked].join(' ')];
}

/** A default role can be set only after the role was granted. */
function defaultRoles(account: ShownAccount): readonly string[] {
  const { roles } = split(account);
  return roles === undefined ? [] : [`ALTER USER ${accountName(account)} DEFAULT ROLE ${roles}`];
}

type Parts = {
  /** The login method, with its hash. */
  readonly method: readonly string[];
  readonly roles: string | undefined;
  /** REQUIRE and all that follows. The server always shows it. */
  readonly clauses: readonly string[];
};

/** Throws if CREATE USER has another form than the server writes, because its hash could then stay in the text. */
function split(account: ShownAccount): Parts {
  const words = accountWords(account.created ?? '');
  const method = placeOf(words, ['IDENTIFIED']);
  const clauses = placeOf(words, ['REQUIRE'], Math.max(method, 0));
  if (method < 0 || clauses < 0) throw new Error('SHOW CREATE USER has another form than MySQL 8.0 writes.');
  const before = words.slice(method, clauses);
  const roles = placeOf(before, ['DEFAULT', 'ROLE']);
  return {
    method: roles < 0 ? before : before.slice(0, roles),
    roles: roles < 0 ? undefined : before.slice(roles + 2).join(' '),
    clauses: words.slice(clauses),
  };
}
