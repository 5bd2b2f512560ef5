import type { Dialect } from '../../mysqlFamily/dialect.js';
import { readAccounts, type Account } from '../../mysqlFamily/privileges/readAccounts.js';
import type { Session } from '../../mysqlFamily/session/session.js';
import { accountName, accountStatements } from './accountStatements.js';

export const readMysqlAccounts: NonNullable<Dialect['readAccounts']> = async (session, included) => {
  // A hash of caching_sha2_password has bytes that are no text.
  await session.query('SET SESSION print_identified_with_as_hex = 1');
  return readAccounts(session, included, {
    list: listAccounts,
    nameOf: accountName,
    hasCreateUser: () => true,
    statements: accountStatements,
  });
};

/**
 * A role of MySQL is an account, and any account may be granted like a role. Those of CREATE ROLE are locked, expired and
 * have no password.
 */
async function listAccounts(session: Session): Promise<readonly Account[]> {
  const rows = await session.query(
    `SELECT user AS user, host AS host,
            account_locked = 'Y' AND password_expired = 'Y' AND COALESCE(authentication_string, '') = '' AS is_role
       FROM mysql.user WHERE NOT (host = 'localhost' AND user IN ('mysql.sys', 'mysql.session', 'mysql.infoschema'))
      ORDER BY is_role DESC, user, host`,
  );
  return rows.map((row) => ({ user: row['user'] ?? '', host: row['host'] ?? '', isRole: row['is_role'] === '1' }));
}
