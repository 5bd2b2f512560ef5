import type { IncludedUsers } from '../../runningDump.js';
import type { Accounts } from '../../mysqlFamily/privileges/accounts.js';
import { fitsDatabase } from '../../mysqlFamily/privileges/grants.js';
import { serverErrorNumber, type Session } from '../../mysqlFamily/session/session.js';
import { isOlder, versionOf } from '../../mysqlFamily/session/serverSettings.js';
import { accountName, accountStatements, type Account, type ShownAccount } from './accountStatements.js';

/**
 * The server does not show the account (1133, 1141, 1269): it was dropped after it was listed, or the server does not use it.
 * With `skip_name_resolve` it uses no account of a host name.
 */
const notShown = new Set([1133, 1141, 1269]);

/**
 * All users, roles and grants, without the account that the server itself needs. The caller has checked that this session
 * may read the database `mysql`.
 */
export async function readAccounts(session: Session, included: Exclude<IncludedUsers, 'NONE'>): Promise<Accounts> {
  const shown: ShownAccount[] = [];
  const unread: Account[] = [];
  for (const account of await listAccounts(session)) {
    const found = await showAccount(session, account);
    if (found === undefined) unread.push(account);
    else shown.push(found);
  }
  const namesOf = (isRole: boolean) => shown.filter((account) => account.isRole === isRole).map(shortName);
  const granted = await listGrantees(session);
  const locks = !isOlder(versionOf(session.found), [10, 4]);
  return {
    unread: unread.map(shortName),
    names: { users: namesOf(false), roles: namesOf(true) },
    granteesOf: (database) => [...new Set(granted.filter((each) => each.fits(database)).map(({ account }) => account))],
    statements: accountStatements(shown, { hashes: included === 'WITH_PASSWORD_HASHES', locks }),
  };
}

async function listAccounts(session: Session): Promise<readonly Account[]> {
  const rows = await session.query(
    `SELECT user AS user, host AS host, is_role AS is_role, default_role AS default_role FROM mysql.user
     WHERE user <> 'mariadb.sys' ORDER BY is_role DESC, user, host`,
  );
  return rows.map((row) => ({
    user: row['user'] ?? '',
    host: row['host'] ?? '',
    isRole: row['is_role'] === 'Y',
    defaultRole: row['default_role'] ?? '',
  }));
}

/** Undefined: the server does not show the account. */
async function showAccount(session: Session, account: Account): Promise<ShownAccount | undefined> {
  const name = accountName(account);
  try {
    const created = account.isRole ? [] : await linesOf(session, `SHOW CREATE USER ${name}`);
    return { ...account, created: created[0], grants: await linesOf(session, `SHOW GRANTS FOR ${name}`) };
  } catch (error) {
    if (notShown.has(serverErrorNumber(error) ?? 0)) return undefined;
    throw error;
  }
}

async function linesOf(session: Session, statement: string): Promise<readonly string[]> {
  const rows = await session.query(statement);
  return rows.map((row) => Object.values(row)[0] ?? '');
}

type Grantee = { readonly account: string; readonly fits: (database: string) => boolean };

/** Global privileges belong to no database, so they are not listed. */
async function listGrantees(session: Session): Promise<readonly Grantee[]> {
  const rows = await session.query(
    `SELECT db AS db, user AS user, host AS host, 1 AS pattern FROM mysql.db
     UNION SELECT db, user, host, 0 FROM mysql.tables_priv
     UNION SELECT db, user, host, 0 FROM mysql.procs_priv`,
  );
  return rows.map((row) => {
    const [pattern, user, host] = [row['db'] ?? '', row['user'] ?? '', row['host'] ?? ''];
    const fits =
      row['pattern'] === '1' ? (name: string) => fitsDatabase(pattern, name) : (name: string) => name === pattern;
    return { account: host === '' ? user : `${user}@${host}`, fits };
  });
}

/** As definers are named in an inventory. */
function shortName({ user, host, isRole }: Account): string {
  return isRole ? user : `${user}@${host}`;
}
