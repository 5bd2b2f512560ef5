import { StowageError } from '../../../errors.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { findForeignFolders } from './foreignFolders.js';
import type { Row, Session } from '../session/session.js';

const systemDatabases = new Set(['information_schema', 'performance_schema', 'mysql', 'sys']);

/** A database as the server lists it. */
export type ListedDatabase = {
  readonly name: string;
  readonly characterSet: string;
  readonly collation: string;
  readonly comment: string;
};

/** The databases that this user sees, without system databases and foreign folders. */
export async function listDatabases(session: Session): Promise<readonly ListedDatabase[]> {
  // Selects `*`, because servers before 10.5 have no column for comments.
  const rows = await session.query('SELECT * FROM information_schema.schemata ORDER BY schema_name');
  const listed = rows.map(database).filter(({ name }) => !systemDatabases.has(name.toLowerCase()));
  if (!listed.some(({ name }) => name.startsWith('#mysql50#'))) return listed;
  const foreign = new Set(await findForeignFolders(session));
  return listed.filter(({ name }) => !foreign.has(name));
}

/**
 * The databases that the service names, or all. Throws EMPTY_DUMP when a named database is missing or there are none,
 * and BAD_INPUT for a system database.
 */
export function selectDatabases(
  listed: readonly ListedDatabase[],
  wanted: ServiceConnection['databases'],
): readonly ListedDatabase[] {
  if (wanted === null) {
    if (listed.length > 0) return listed;
    throw new StowageError(
      'EMPTY_DUMP',
      'The server has no database that this user may see, except the system’s own.',
      {
        help: 'Create one, or grant the user access to the existing ones.',
      },
    );
  }
  const system = wanted.find((name) => systemDatabases.has(name.toLowerCase()));
  if (system !== undefined) {
    throw new StowageError('BAD_INPUT', `The database '${system}' belongs to the server itself and is not dumped.`, {
      help: 'Remove it from the databases of the service.',
    });
  }
  const names = new Set(listed.map(({ name }) => name));
  const absent = wanted.filter((name) => !names.has(name));
  if (absent.length > 0) {
    const list = absent.map((name) => `'${name}'`).join(', ');
    throw new StowageError('EMPTY_DUMP', `The server has no database ${list}, or the user may not see it.`, {
      help: 'Correct the databases of the service, or grant the user access to them.',
      details: { absent },
    });
  }
  if (wanted.length === 0) throw new StowageError('EMPTY_DUMP', 'The service names no database.');
  return listed.filter(({ name }) => wanted.includes(name));
}

function database(row: Row): ListedDatabase {
  return {
    name: row['SCHEMA_NAME'] ?? '',
    characterSet: row['DEFAULT_CHARACTER_SET_NAME'] ?? '',
    collation: row['DEFAULT_COLLATION_NAME'] ?? '',
    // The spelling as the server lists it, because a restore is compared with it.
    comment: (row['SCHEMA_COMMENT'] ?? '').replaceAll('\0', '\uFFFD'),
  };
}
