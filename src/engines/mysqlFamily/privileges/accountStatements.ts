import type { ServerDialect } from '../session/serverDialect.js';
import { quoteName, type Grants } from './grants.js';

/** The privileges on a database that a dump of it needs. */
export const dumpPrivileges = ['SELECT', 'SHOW VIEW', 'TRIGGER', 'EVENT'] as const;

/** The privileges on a database that a restore of everything that it may hold needs. */
export const restorePrivileges = [
  ...['CREATE', 'DROP', 'ALTER', 'INSERT', 'SELECT', 'INDEX', 'REFERENCES', 'CREATE VIEW', 'SHOW VIEW'],
  ...['TRIGGER', 'EVENT', 'CREATE ROUTINE', 'ALTER ROUTINE'],
] as const;

/**
 * The statements that create a least-privilege account for backups. `databases` null: of all databases. The account also
 * sees which sessions wait for a backup.
 */
export function backupAccount(
  { backupGrants }: ServerDialect,
  account: string,
  databases: readonly string[] | null,
): readonly string[] {
  const places = databases?.map((name) => `${quoteName(name)}.*`) ?? ['*.*'];
  return [
    `CREATE USER ${account} IDENTIFIED BY '…'`,
    ...places.map((place) => `GRANT ${dumpPrivileges.join(', ')} ON ${place} TO ${account}`),
    ...backupGrants.map((grant) => `GRANT ${grant} TO ${account}`),
  ];
}

/** The statements that create a least-privilege account for restores into any database of this release. */
export function restoreAccount(dialect: ServerDialect, account: string, release: number): readonly string[] {
  return [
    `CREATE USER ${account} IDENTIFIED BY '…'`,
    `GRANT ${restorePrivileges.join(', ')} ON *.* TO ${account}`,
    ...dialect.restoreGrants(release).map((grant) => `GRANT ${grant} TO ${account}`),
  ];
}

/** Sentences for an account that may do more than back up. */
export function adviseOnAccounts(
  dialect: ServerDialect,
  grants: Grants,
  { release, databases }: { readonly release: number; readonly databases: readonly string[] | null },
): readonly string[] {
  if (!grants.holdsGlobally('INSERT') && !grants.holdsGlobally('SUPER')) return [];
  const statements = (all: readonly string[]) => `${all.join('; ')};`;
  return [
    `This account may do more than a backup needs. An account only for backups: ${statements(backupAccount(dialect, "'stowage_backup'@'%'", databases))}`,
    `An account only for restores: ${statements(restoreAccount(dialect, "'stowage_restore'@'%'", release))}`,
  ];
}
