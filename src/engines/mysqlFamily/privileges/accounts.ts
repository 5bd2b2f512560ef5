import type { Inventory } from '../../inventory.js';

/** The accounts of a server, for a part of a backup. */
export type Accounts = {
  readonly names: NonNullable<Inventory['accounts']>;
  /** Names of accounts that the server lists and does not show. */
  readonly unread: readonly string[];
  /** Names of accounts that have privileges on a database or on objects in it. */
  granteesOf(database: string): readonly string[];
  /** The statements that create the accounts. It may contain hashes of passwords. */
  readonly statements: string;
};
