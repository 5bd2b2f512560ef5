import type { Session } from '../session/session.js';

/**
 * The server lists every folder in its data directory as a database. A name such as `lost+found`, which is not encoded
 * as MariaDB does, gets the prefix `#mysql50#` (MariaDB manual, "Identifier to File Name Mapping"). A folder without a
 * readable table is not a database, and mariadb-dump fails on it (1018).
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
  return [`Folders in the data directory of the server that are not databases are omitted: ${names}.`];
}
