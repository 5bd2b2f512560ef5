import { expect, test } from '@jest/globals';
import type { Inventory } from '../../inventory.js';
import { mariadbDialect } from '../../mariadb/mariadbDialect.js';
import { refuseMissingOffers } from './offers.js';
import type { Target } from './target.js';

const target = (version: string, ariaBlockSize: string): Target => ({
  ...{ version, release: mariadbDialect.releaseOf(version), variables: new Map([['aria_block_size', ariaBlockSize]]) },
  ...{ engines: new Set(['aria']), collations: new Set(), encrypts: false },
});
const backup = (keyBytes: number): Inventory => ({
  ...{ serverVersion: '11.4.5-MariaDB', toolVersion: '', sizeBytes: null },
  databases: [{ name: 'd', tables: [], objects: {}, properties: {}, needs: { [`key Aria ${keyBytes}`]: ['d.t.k'] } }],
});

/** Not all of these servers can be started here. */
test.each([
  ['10.2.11-MariaDB', '8192', 1000, /it is 10\.2\.11/],
  ['10.4.34-MariaDB', '8192', 1000, /it is 10\.4\.34/],
  ['10.4.34-MariaDB', '4096', 1000, /it is 10\.4\.34/],
  ['10.2.11-MariaDB', '2048', 550, /aria_block_size is 2048/],
  ['10.5.3-MariaDB', '8192', 2000, /it is 10\.5\.3/],
  ['10.5.3-MariaDB', '4096', 1233, /aria_block_size is 4096/],
])('a target of %s with an aria_block_size of %s takes Aria keys of %d bytes', (version, blockSize, bytes, why) => {
  expect(() => refuseMissingOffers(mariadbDialect, target(version, blockSize), backup(bytes))).not.toThrow();
  expect(() => refuseMissingOffers(mariadbDialect, target(version, blockSize), backup(bytes + 1))).toThrow(why);
});

test.each(['8192', '16384'])(
  'a target of 10.6 with an aria_block_size of %s takes the longest Aria key',
  (blockSize) => {
    expect(() => refuseMissingOffers(mariadbDialect, target('10.6.21-MariaDB', blockSize), backup(2304))).not.toThrow();
  },
);
