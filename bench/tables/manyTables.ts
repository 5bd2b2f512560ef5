import type { FamilyServer } from '../../test/fixtures/servers/familyServer.js';

/** How many statements are sent to the server at once. */
const atOnce = 500;
const clients = 4;

/**
 * Creates the databases `bench` and `bench_2` with `tables` InnoDB tables of ten rows, nine of ten in `bench`. One of ten has
 * forty columns and four keys. One of fifty has a trigger, and one of fifty has a view.
 */
export async function makeTables(server: FamilyServer, tables: number): Promise<void> {
  await server.sql('CREATE DATABASE bench CHARACTER SET utf8mb4; CREATE DATABASE bench_2 CHARACTER SET utf8mb4;');
  let from = 0;
  const makeSome = async () => {
    while (from < tables) {
      const numbers = Array.from({ length: Math.min(atOnce, tables - from) }, (_, index) => from + index);
      from += atOnce;
      await server.sql(`USE bench; ${numbers.map(statementsFor).join('\n')}`);
    }
  };
  await Promise.all(Array.from({ length: clients }, makeSome));
}

function statementsFor(number: number): string {
  const database = number % 10 === 9 ? 'bench_2' : 'bench';
  const table = `${database}.table_${number}`;
  const wide = number % 10 === 3;
  const more = Array.from({ length: 36 }, (_, index) => `c${index} ${types[index % types.length]},`).join(' ');
  return `
    CREATE TABLE ${table} (
      id INT NOT NULL AUTO_INCREMENT, name VARCHAR(80) NOT NULL DEFAULT '', placed DATETIME NOT NULL, note TEXT,
      ${wide ? `${more} KEY c0 (c0), KEY c1 (c1), UNIQUE KEY both_of_them (id, c2), KEY placed (placed),` : ''}
      PRIMARY KEY (id), KEY name (name)
    ) ENGINE=InnoDB COMMENT 'table ${number}';
    INSERT INTO ${table} (name, placed, note)
      SELECT CONCAT('name ', seq), '2026-01-01' + INTERVAL seq DAY, REPEAT('words ', seq) FROM (${ten}) AS numbers;
    ${number % 50 === 7 ? `CREATE VIEW ${database}.view_${number} AS SELECT id, name FROM ${table};` : ''}
    ${number % 50 === 8 ? `CREATE TRIGGER ${database}.trigger_${number} BEFORE INSERT ON ${table} FOR EACH ROW SET NEW.name = TRIM(NEW.name);` : ''}`;
}

const ten = Array.from({ length: 10 }, (_, index) => `SELECT ${index + 1} AS seq`).join(' UNION ALL ');

const types = [
  'INT DEFAULT 0',
  "VARCHAR(40) NOT NULL DEFAULT 'empty'",
  'DECIMAL(10,2)',
  'DATETIME(6) NULL',
  'BLOB',
  "ENUM('one', 'two', 'three')",
];
