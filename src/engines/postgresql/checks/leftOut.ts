import type { ServiceConnection } from '../../serviceConnection.js';
import { serversOwn } from '../catalog/databases.js';
import { listTables } from '../catalog/tables.js';
import { sqlStateOf } from '../errors/serverErrors.js';
import { openSessionAt, shortText, type Session, type SessionOptions } from '../session/session.js';

/** Databases of a customer that are not in a backup of all databases, as warnings with the reason. */
export async function warnOfLeftOutDatabases(
  connection: ServiceConnection,
  first: Session,
  options: SessionOptions,
): Promise<readonly string[]> {
  if (connection.databases !== null) return [];
  const rows = await first.query(leftOutQuery);
  const warnings = rows.map(
    (row) => `The database '${shortText(row['name'])}' is not in the backup, because ${row['reason'] ?? ''}.`,
  );
  const tables = await tablesOfServersOwn(connection, first, options);
  return tables === 0
    ? warnings
    : [
        ...warnings,
        `The database '${serversOwn}' has ${tables} ${tables === 1 ? 'table' : 'tables'}, which are not in the backup. To back it up, name it in the databases of the service.`,
      ];
}

/** A database with the limit -2 is the rest of an interrupted DROP DATABASE, which accepts no connection. */
const leftOutQuery = `
SELECT datname AS name,
       CASE WHEN datconnlimit = -2 THEN 'a DROP DATABASE of it was interrupted. Drop it again'
            WHEN NOT datallowconn THEN 'it accepts no connections (ALLOW_CONNECTIONS)'
            ELSE 'it is a template (IS_TEMPLATE). To back it up, name it in the databases of the service' END AS reason
  FROM pg_database
 WHERE datname NOT IN ('template0', 'template1', '${serversOwn}') AND (datconnlimit = -2 OR NOT datallowconn OR datistemplate)
 ORDER BY datname COLLATE "C"`;

/** 0 also if the account may not connect to it: then it is not the account's database. */
async function tablesOfServersOwn(
  connection: ServiceConnection,
  first: Session,
  options: SessionOptions,
): Promise<number> {
  if (first.database === serversOwn) return (await listTables(first)).length;
  try {
    const session = await openSessionAt(connection, [first.server], options, serversOwn);
    try {
      return (await listTables(session)).length;
    } finally {
      session.close();
    }
  } catch (error) {
    if (sqlStateOf(error) === undefined) throw error;
    return 0;
  }
}
