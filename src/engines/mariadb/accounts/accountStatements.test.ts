import { describe, expect, test } from '@jest/globals';
import type { ShownAccount } from '../../mysqlFamily/privileges/readAccounts.js';
import { accountStatements, withoutAuthentication, type MariadbAccount } from './accountStatements.js';

type Shown = ShownAccount<MariadbAccount>;

const hash = '*7C67218EF7410F248763DC99AEDC705367393C4A';
const account = (more: Partial<Shown>): Shown => ({
  ...{ user: 'app', host: '%', isRole: false, defaultRole: '', created: undefined, grants: [] },
  ...more,
});
const written = (created: string, locks = true) =>
  accountStatements([account({ created })], { hashes: false, locks })
    .split('\n')
    .at(-2);
const closed = "IDENTIFIED BY PASSWORD '*0000000000000000000000000000000000000000'";

describe('The statements for the accounts of a server', () => {
  test.each([
    [`CREATE USER \`a\`@\`%\` IDENTIFIED BY PASSWORD '${hash}'`, '', ' ACCOUNT LOCK'],
    ['CREATE USER `a`@`%`', '', ' ACCOUNT LOCK'],
    [`CREATE USER \`a\`@\`%\` IDENTIFIED VIA ed25519 USING '${hash}' OR unix_socket`, '', ' ACCOUNT LOCK'],
    [
      `CREATE USER \`a\`@\`%\` IDENTIFIED BY PASSWORD '${hash}' REQUIRE SUBJECT '/CN=IDENTIFIED x' WITH MAX_USER_CONNECTIONS 5 PASSWORD EXPIRE INTERVAL 90 DAY`,
      " REQUIRE SUBJECT '/CN=IDENTIFIED x' WITH MAX_USER_CONNECTIONS 5",
      ' ACCOUNT LOCK PASSWORD EXPIRE INTERVAL 90 DAY',
    ],
    ['CREATE USER `a`@`%` ACCOUNT LOCK PASSWORD EXPIRE', ' ACCOUNT LOCK PASSWORD EXPIRE', ''],
  ])('close the account of %s', (statement, clauses, end) => {
    expect(written(statement)).toBe(`CREATE USER IF NOT EXISTS \`a\`@\`%\` ${closed}${clauses}${end};`);
  });

  test('lock no account on a server that has no ACCOUNT LOCK', () => {
    expect(written('CREATE USER `a`@`%`', false)).toBe(`CREATE USER IF NOT EXISTS \`a\`@\`%\` ${closed};`);
  });

  test.each([
    [`GRANT USAGE ON *.* TO \`a\`@\`%\` IDENTIFIED BY PASSWORD '${hash}'`, 'GRANT USAGE ON *.* TO `a`@`%`'],
    [
      `GRANT SELECT (\`a\`), INSERT ON \`s IDENTIFIED\`.\`t\` TO \`we\`\`ird\`@\`%\` IDENTIFIED VIA x USING '${hash}' REQUIRE SSL WITH GRANT OPTION`,
      'GRANT SELECT (`a`), INSERT ON `s IDENTIFIED`.`t` TO `we``ird`@`%` REQUIRE SSL WITH GRANT OPTION',
    ],
    ['GRANT `deep` TO `reader` WITH ADMIN OPTION', 'GRANT `deep` TO `reader` WITH ADMIN OPTION'],
    ['GRANT SELECT ON `shop`.* TO PUBLIC', 'GRANT SELECT ON `shop`.* TO PUBLIC'],
    ['SET DEFAULT ROLE `reader` FOR `a`@`%`', 'SET DEFAULT ROLE `reader` FOR `a`@`%`'],
  ])('keep of %s all but the login method', (line, kept) => {
    expect(withoutAuthentication(line)).toBe(kept);
  });

  test('create roles before users, repeat no line, and set a default role that the server does not list', () => {
    const grant = 'GRANT USAGE ON *.* TO `deep`';
    const text = accountStatements(
      [
        account({ user: 'deep', host: '', isRole: true, grants: [grant] }),
        account({ user: 'PUBLIC', host: '', isRole: true, grants: [grant] }),
        account({ created: 'CREATE USER `app`@`%`', defaultRole: 'deep' }),
      ],
      { hashes: true, locks: true },
    );
    expect(text.split('\n').slice(1)).toEqual([
      'CREATE ROLE IF NOT EXISTS `deep`;',
      'CREATE USER IF NOT EXISTS `app`@`%`;',
      `${grant};`,
      'SET DEFAULT ROLE `deep` FOR `app`@`%`;',
      '',
    ]);
  });
});
