import type { MariadbServer } from '../../test/fixtures/servers/mariadb.js';

/** The approximate size of one table in the dump, in bytes. */
const tableBytes = 128 * 1024 * 1024;
const rowBytes = 258;

/**
 * Fills the database `bench` with tables of orders, until their dump has about `gib` GiB. A row is typical: numbers that count
 * up, names from a list, text in words, and a token that does not compress. zstd -3 compresses it to about a third. The tables
 * are similar, but this does not improve the compression, because the window of zstd is smaller than a table.
 */
export async function fillOrders(server: MariadbServer, gib: number): Promise<void> {
  const rows = Math.round(Math.min(tableBytes, gib * 1024 ** 3) / rowBytes);
  const words =
    'harbour,crane,pallet,northbound,delayed,customs,cleared,refrigerated,fragile,night shift,berth,manifest';
  const word = (seed: number) =>
    `ELT(1 + CRC32(seq * ${seed}) % 12, ${words
      .split(',')
      .map((one) => `'${one}'`)
      .join(', ')})`;
  await server.sql(`
    CREATE DATABASE bench CHARACTER SET utf8mb4;
    USE bench;
    CREATE TABLE bench.orders_1 (
      id BIGINT PRIMARY KEY, customer INT NOT NULL, placed DATETIME NOT NULL, status VARCHAR(12) NOT NULL,
      email VARCHAR(80) NOT NULL, amount DECIMAL(10,2) NOT NULL, note TEXT NOT NULL, token CHAR(64) NOT NULL
    ) ENGINE=InnoDB;
    INSERT INTO bench.orders_1
      SELECT seq, CRC32(seq) % 90000, '2020-01-01' + INTERVAL seq * 37 SECOND,
             ELT(1 + CRC32(seq * 3) % 4, 'placed', 'paid', 'shipped', 'returned'),
             CONCAT(${word(5)}, '.', CRC32(seq * 7) % 100000, '@example.com'), (CRC32(seq * 11) % 1000000) / 100,
             CONCAT_WS(' ', ${[13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53].map(word).join(', ')}, CRC32(seq * 59)),
             SHA2(seq, 256)
        FROM seq_1_to_${rows};`);
  const tables = Math.max(1, Math.round((gib * 1024 ** 3) / tableBytes));
  for (let table = 2; table <= tables; table += 1) {
    await server.sql(`
      CREATE TABLE bench.orders_${table} LIKE bench.orders_1;
      INSERT INTO bench.orders_${table} SELECT * FROM bench.orders_1;`);
  }
}
