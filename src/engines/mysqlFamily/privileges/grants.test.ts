import { describe, expect, test } from '@jest/globals';
import { mariadbDialect } from '../../mariadb/mariadbDialect.js';
import { parseGrants, quoteName } from './grants.js';

describe('The parser of SHOW GRANTS', () => {
  test.each([
    ['GRANT ALL PRIVILEGES ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD "*A" WITH GRANT OPTION', 'shop', true],
    ['GRANT SELECT, SHOW VIEW ON `shop`.* TO `u`@`%`', 'shop', true],
    ['GRANT SELECT ON `shop`.* TO `u`@`%`', 'shops', false],
    ['GRANT SELECT ON `sh\\_p`.* TO `u`@`%`', 'shop', false],
    ['GRANT SELECT ON `sh\\_p`.* TO `u`@`%`', 'sh_p', true],
    ['GRANT SELECT ON `sh_p%`.* TO `u`@`%`', 'shop.old', true],
    ['GRANT SELECT ON `a``b c`.* TO `u`@`%`', 'a`b c', true],
    ['GRANT SELECT ON `shop`.`orders` TO `u`@`%`', 'shop', false],
    ['GRANT SELECT (a, b), INSERT ON `shop`.`orders` TO `u`@`%`', 'shop', false],
    ['GRANT INSERT, UPDATE ON `shop`.* TO `u`@`%`', 'shop', false],
    ['GRANT USAGE ON *.* TO `u`@`%`', 'shop', false],
    ['GRANT `reader` TO `u`@`%`', 'shop', false],
    ['GRANT SELECT ON *.* TO `u`@`%`', 'any', true],
  ])('finds that %s allows SELECT on all of %s: %s', (line, database, allowed) => {
    expect(parseGrants([line]).holds('SELECT', database)).toBe(allowed);
  });

  test.each([
    ['GRANT SELECT ON `mysql`.`proc` TO `u`@`%`', true],
    ['GRANT SELECT ON *.* TO `u`@`%`', true],
    ['GRANT SHOW CREATE ROUTINE ON *.* TO `u`@`%`', true],
    ['GRANT SELECT ON `mysql`.`user` TO `u`@`%`', false],
  ])('finds that %s allows to read every routine: %s', (line, allowed) => {
    expect(mariadbDialect.readsRoutines(parseGrants([line]))).toBe(allowed);
  });

  test.each([
    ['GRANT ALL PRIVILEGES ON *.* TO `u`@`%`', true],
    ['GRANT CREATE, INSERT ON `shop`.* TO `u`@`%`', true],
    ['GRANT CREATE, INSERT ON `shop`.`orders` TO `u`@`%`', false],
    ['GRANT SELECT, INSERT ON *.* TO `u`@`%`', false],
    ['GRANT USAGE ON *.* TO `u`@`%`', false],
  ])('finds that %s allows to create and fill databases: %s', (line, allowed) => {
    expect(parseGrants([line]).makesDatabases).toBe(allowed);
  });

  test('quotes a name so that no character in the name ends it', () => {
    expect(quoteName('a`; DROP TABLE x; --')).toBe('`a``; DROP TABLE x; --`');
  });
});
