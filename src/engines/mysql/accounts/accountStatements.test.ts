import { describe, expect, test } from '@jest/globals';
import type { ShownAccount } from '../../mysqlFamily/privileges/readAccounts.js';
import { accountStatements } from './accountStatements.js';

const closed =
  "IDENTIFIED WITH 'caching_sha2_password' AS '$A$005$THISISACOMBINATIONOFINVALIDSALTANDPASSWORDTHATMUSTNEVERBRBEUSED'";
const shown = (created: string, grants: readonly string[] = [], isRole = false): ShownAccount => ({
  ...{ user: 'a', host: '%', isRole, created, grants },
});
const lines = (accounts: readonly ShownAccount[], hashes: boolean) =>
  accountStatements(accounts, hashes)
    .split('\n')
    .filter((line) => !line.startsWith('--') && line !== '');

describe('The statements for the accounts of MySQL', () => {
  test.each([
    ["IDENTIFIED WITH 'caching_sha2_password' AS 0x2441", 'REQUIRE NONE', 'REQUIRE NONE'],
    ["IDENTIFIED WITH 'mysql_native_password' AS '*7C67'", 'REQUIRE SSL WITH MAX_USER_CONNECTIONS 3', null],
    [
      "IDENTIFIED WITH 'caching_sha2_password' AS 0x24 AND IDENTIFIED WITH 'authentication_ldap_simple' AS 'REQUIRE secret'",
      "REQUIRE SUBJECT '/CN=IDENTIFIED x' PASSWORD EXPIRE DEFAULT ACCOUNT UNLOCK",
      "REQUIRE SUBJECT '/CN=IDENTIFIED x' PASSWORD EXPIRE DEFAULT ACCOUNT LOCK",
    ],
    [
      "IDENTIFIED WITH 'auth_socket'",
      'REQUIRE NONE ACCOUNT UNLOCK ATTRIBUTE \'{"comment": "ACCOUNT UNLOCK"}\'',
      'REQUIRE NONE ACCOUNT LOCK ATTRIBUTE \'{"comment": "ACCOUNT UNLOCK"}\'',
    ],
  ])('close the account with %s %s', (method, clauses, locked) => {
    expect(lines([shown(`CREATE USER \`a\`@\`%\` ${method} ${clauses}`)], false)).toEqual([
      `CREATE USER IF NOT EXISTS \`a\`@\`%\` ${closed} ${locked ?? clauses};`,
    ]);
    expect(lines([shown(`CREATE USER \`a\`@\`%\` ${method} ${clauses}`)], true)).toEqual([
      `CREATE USER IF NOT EXISTS \`a\`@\`%\` ${method} ${clauses};`,
    ]);
  });

  test('set default roles after the grants, revoke last, and repeat no line', () => {
    const method = "IDENTIFIED WITH 'caching_sha2_password'";
    const role = shown(`CREATE USER \`a\`@\`%\` ${method} REQUIRE NONE`, ['GRANT USAGE ON *.* TO `a`@`%`'], true);
    const user = shown(`CREATE USER \`a\`@\`%\` ${method} DEFAULT ROLE \`r\`@\`%\`,\`s\`@\`%\` REQUIRE NONE`, [
      ...['GRANT USAGE ON *.* TO `a`@`%`', 'REVOKE INSERT ON `shop`.* FROM `a`@`%`', 'GRANT `r`@`%` TO `a`@`%`'],
    ]);
    expect(lines([role, user], true)).toEqual([
      'CREATE ROLE IF NOT EXISTS `a`@`%`;',
      `CREATE USER IF NOT EXISTS \`a\`@\`%\` ${method} REQUIRE NONE;`,
      'GRANT USAGE ON *.* TO `a`@`%`;',
      'GRANT `r`@`%` TO `a`@`%`;',
      'ALTER USER `a`@`%` DEFAULT ROLE `r`@`%`,`s`@`%`;',
      'REVOKE INSERT ON `shop`.* FROM `a`@`%`;',
    ]);
  });

  test('are not written if the server shows an account in an unknown form, which could leave a hash in them', () => {
    expect(() => lines([shown("CREATE USER `a`@`%` PASSWORD '*7C67'")], false)).toThrow(/another form/);
  });
});
