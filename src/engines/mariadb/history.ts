import type { Inventory } from '../inventory.js';
import { distribution } from '../mysqlFamily/tools/distribution.js';

/**
 * Whether the dump of these databases holds the history of system-versioned tables. One option of mariadb-dump decides
 * for all tables. With this option the tool fails at a table whose history is kept by transaction ids.
 */
export function dumpsHistory({ databases, toolVersion }: Pick<Inventory, 'databases' | 'toolVersion'>): boolean {
  const has = (kind: string) => databases.some(({ objects }) => (objects[kind]?.length ?? 0) > 0);
  return has('systemVersionedTables') && !has('transactionPreciseTables') && knowsHistory(toolVersion);
}

/** `--dump-history` exists since MariaDB 10.11. */
function knowsHistory(toolVersion: string): boolean {
  const [major, minor] = distribution(toolVersion) ?? [0, 0];
  return major > 10 || (major === 10 && minor >= 11);
}
