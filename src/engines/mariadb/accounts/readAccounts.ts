import type { Dialect } from '../../mysqlFamily/dialect.js';
import { readAccounts, type AccountReader } from '../../mysqlFamily/privileges/readAccounts.js';
import { isOlder, versionOf } from '../../mysqlFamily/session/serverSettings.js';
import type { Session } from '../../mysqlFamily/session/session.js';
import { accountName, accountStatements, type MariadbAccount } from './accountStatements.js';

export const readMariadbAccounts: NonNullable<Dialect['readAccounts']> = (session, included) => {
  const locks = !isOlder(versionOf(session.found), [10, 4]);
  const reader: AccountReader<MariadbAccount> = {
    list: listAccounts,
    nameOf: accountName,
    hasCreateUser: ({ isRole }) => !isRole,
    statements: (shown, hashes) => accountStatements(shown, { hashes, locks }),
  };
  return readAccounts(session, included, reader);
};

async function listAccounts(session: Session): Promise<readonly MariadbAccount[]> {
  const rows = await session.query(
    `SELECT user AS user, host AS host, is_role AS is_role, default_role AS default_role FROM mysql.user
     WHERE user <> 'mariadb.sys' ORDER BY is_role DESC, user, host`,
  );
  return rows.map((row) => ({
    user: row['user'] ?? '',
    // A role has no host.
    host: row['is_role'] === 'Y' ? '' : (row['host'] ?? ''),
    isRole: row['is_role'] === 'Y',
    defaultRole: row['default_role'] ?? '',
  }));
}
