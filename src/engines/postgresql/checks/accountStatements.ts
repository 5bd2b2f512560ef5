import { quoteName } from '../catalog/names.js';
import type { Session } from '../session/session.js';

/**
 * The statements that make a least-privilege account for backups of a server. `pg_read_all_data` exists since version 14, and
 * BYPASSRLS reads the rows that row-level security hides.
 */
export function backupAccount(role: string, major: number): readonly string[] {
  const name = quoteName(role);
  return [
    `CREATE ROLE ${name} LOGIN BYPASSRLS PASSWORD '…'`,
    ...(major >= 14 ? [`GRANT pg_read_all_data TO ${name}`] : [`ALTER ROLE ${name} SUPERUSER`]),
    `GRANT pg_read_all_stats TO ${name}`,
  ];
}

/** The statements that make an account for restores. It becomes a member of the roles that own restored objects. */
export function restoreAccount(role: string): readonly string[] {
  return [`CREATE ROLE ${quoteName(role)} LOGIN CREATEDB CREATEROLE PASSWORD '…'`];
}

/** Advice for an account that has more rights than a backup needs. */
export async function backupAccountStatements(session: Session): Promise<readonly string[]> {
  const [row] = await session.query('SELECT rolsuper FROM pg_roles WHERE rolname = current_user');
  if (row?.['rolsuper'] !== 't') return [];
  const statements = backupAccount('stowage', session.version.major);
  return [`The account is a superuser. This makes an account that may only back up: ${statements.join('; ')};`];
}

/** Advice for a target: the right that a restore lacks, or an account with fewer rights than a superuser. */
export async function restoreAccountAdvice(session: Session): Promise<string> {
  const [row] = await session.query(
    'SELECT rolsuper, rolcreatedb AND rolcreaterole AS may, rolname FROM pg_roles WHERE rolname = current_user',
  );
  const statements = restoreAccount('stowage_restore').join('; ');
  if (row?.['rolsuper'] === 't') {
    return `The account is a superuser. This makes an account that may only restore, and has to be a member of the roles that own objects: ${statements};`;
  }
  if (row?.['may'] === 't') return '';
  return `A restore needs more rights: ALTER ROLE ${quoteName(row?.['rolname'] ?? '')} CREATEDB CREATEROLE;`;
}
