import { describe, expect, test } from '@jest/globals';
import { readStatement, tableRead } from './readStatement.js';

const large = { database: 'shop', table: 'large' };

describe('The reader of a statement', () => {
  test.each([
    ['alter online table `large` add x int', 'ALTER TABLE'],
    ['/* from the app */ ALTER TABLE large ADD x INT', 'ALTER TABLE'],
    ['TRUNCATE large', 'TRUNCATE TABLE'],
    ["CREATE DEFINER=`a`@`%` TRIGGER t BEFORE INSERT ON large FOR EACH ROW SET @a = 'secret'", 'CREATE TRIGGER'],
    ["INSERT INTO large VALUES ('DROP TABLE large')", 'INSERT'],
    ['FLUSH TABLES WITH READ LOCK', 'FLUSH TABLES'],
    ['secret', null],
    ['', null],
  ])('finds the kind of %s', (sql, kind) => {
    expect(readStatement(sql).kind).toBe(kind);
  });

  test.each([
    ['ALTER TABLE large ADD x INT', true],
    ['ALTER TABLE SHOP.`Large` ADD x INT', true],
    ['ALTER TABLE other.large ADD x INT', false],
    ["ALTER TABLE small COMMENT = 'large'", false],
    ['ALTER TABLE small ADD COLUMN y INT /* large */ -- large', false],
    ['RENAME TABLE small TO s, shop.large TO l', true],
    ['DROP TABLE IF EXISTS small, large', true],
    ['DROP DATABASE shop', true],
    ['DROP DATABASE other', false],
    ['LOCK TABLES small WRITE, large AS l READ', false],
    ['LOCK TABLES small READ, large AS l LOW_PRIORITY WRITE', true],
    ['CREATE TABLE copy AS SELECT * FROM large', false],
    ['CREATE TABLE copy LIKE large', false],
    ['CREATE OR REPLACE TABLE shop.large (a INT)', true],
    ['CREATE INDEX i ON large (v(10))', true],
    ['OPTIMIZE TABLE large', true],
    ['FLUSH TABLES large FOR EXPORT', true],
    ['SELECT * FROM large', false],
    ["UPDATE large SET v = 'x'", false],
  ])('finds whether %s excludes readers from the table', (sql, expected) => {
    expect(readStatement(sql).excludesReaders(large, 'shop')).toBe(expected);
  });

  test('matches an unqualified name to no table if no database is in use', () => {
    expect(readStatement('ALTER TABLE large ADD x INT').excludesReaders(large, null)).toBe(false);
  });

  test('finds no table in FLUSH TABLES without names', () => {
    expect(readStatement('FLUSH TABLES WITH READ LOCK').namesAny).toBe(false);
    expect(readStatement('FLUSH LOCAL TABLES large').namesAny).toBe(true);
  });

  test.each([
    ['SELECT /*!40001 SQL_NO_CACHE */ `id`, `a FROM ``b`, `v` FROM `lar``ge`', { database: 'shop', table: 'lar`ge' }],
    ['SELECT /*!40001 SQL_NO_CACHE */ * FROM `large` FOR SYSTEM_TIME ALL', large],
    ['SELECT 1 FROM `other`.`t`', { database: 'other', table: 't' }],
    ['SHOW CREATE TABLE `large`', undefined],
    ['SELECT 1', undefined],
  ])('finds the table that %s reads', (sql, expected) => {
    expect(tableRead(sql, 'shop')).toEqual(expected);
  });
});
