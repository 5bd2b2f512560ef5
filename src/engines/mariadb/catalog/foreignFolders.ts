import type { Session } from '../session/session.js';

/**
 * The server takes every folder in its data directory for a database. `#mysql50#` stands before the name of one whose
 * name no database of today has, such as `lost+found` of a file system (MariaDB manual, "Identifier to File Name
 * Mapping"). Where it holds no table that the server can read it is none, and mariadb-dump fails on it (1018).
 */
export async function findForeignFolders(session: Session): Promise<readonly string[]> {
  const rows = await session.query(
    "SELECT schema_name AS name FROM information_schema.schemata WHERE schema_name LIKE '#mysql50#%' ORDER BY schema_name",
  );
  const foreign: string[] = [];
  for (const { name } of rows) {
    if (name === null || name === undefined) continue;
    const tables = await session.query(
      'SELECT table_name FROM information_schema.tables WHERE table_schema = ? LIMIT 1',
      [name],
    );
    if (tables.length === 0) foreign.push(name);
  }
  return foreign;
}

export function warnOfForeignFolders(folders: readonly string[]): readonly string[] {
  if (folders.length === 0) return [];
  const names = folders.map((name) => name.slice('#mysql50#'.length)).join(', ');
  return [`Folders in the data directory of the server that are no databases are left out: ${names}.`];
}
