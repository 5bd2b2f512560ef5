import type { IncludedUsers } from '../../runningDump.js';
import { serverErrorNumber, type Session } from '../session/session.js';
import type { Accounts } from './accounts.js';
import { fitsDatabase } from './grants.js';

/** A user, or a role. On MariaDB the `host` of a role is empty. */
export type Account = { readonly user: string; readonly host: string; readonly isRole: boolean };

/** What the server shows about an account. */
export type ShownAccount<A extends Account = Account> = A & {
  /** The statement of SHOW CREATE USER. Undefined for a role of MariaDB. */
  readonly created: string | undefined;
  /** The lines of SHOW GRANTS. */
  readonly grants: readonly string[];
};

/** In which the servers differ. */
export type AccountReader<A extends Account> = {
  /** All accounts, without those that the server itself needs. */
  list(session: Session): Promise<readonly A[]>;
  /** As an account is named in statements. */
  readonly nameOf: (account: A) => string;
  readonly hasCreateUser: (account: A) => boolean;
  statements(accounts: readonly ShownAccount<A>[], hashes: boolean): string;
};

/**
 * The server does not show the account (1133, 1141, 1269): it was dropped after it was listed, or the server does not use it.
 * With `skip_name_resolve` it uses no account of a host name.
 */
const notShown = new Set([1133, 1141, 1269]);

/** All users, roles and grants. The caller has checked that this session may read the database `mysql`. */
export async function readAccounts<A extends Account>(
  session: Session,
  included: Exclude<IncludedUsers, 'NONE'>,
  reader: AccountReader<A>,
): Promise<Accounts> {
  const shown: ShownAccount<A>[] = [];
  const unread: A[] = [];
  for (const account of await reader.list(session)) {
    const found = await showAccount(session, account, reader);
    if (found === undefined) unread.push(account);
    else shown.push(found);
  }
  const namesOf = (isRole: boolean) => shown.filter((account) => account.isRole === isRole).map(shortName);
  const granted = await listGrantees(session);
  return {
    unread: unread.map(shortName),
    names: { users: namesOf(false), roles: namesOf(true) },
    granteesOf: (database) => [...new Set(granted.filter((each) => each.fits(database)).map(({ account }) => account))],
    statements: reader.statements(shown, included === 'WITH_PASSWORD_HASHES'),
  };
}

/** Undefined: the server does not show the account. */
async function showAccount<A extends Account>(
  session: Session,
  account: A,
  { nameOf, hasCreateUser }: AccountReader<A>,
): Promise<ShownAccount<A> | undefined> {
  const name = nameOf(account);
  try {
    const created = hasCreateUser(account) ? await linesOf(session, `SHOW CREATE USER ${name}`) : [];
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
function shortName({ user, host }: Account): string {
  return host === '' ? user : `${user}@${host}`;
}
