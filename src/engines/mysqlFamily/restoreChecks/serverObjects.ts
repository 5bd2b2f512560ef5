import type { Inventory } from '../../inventory.js';
import { serverErrorNumber, type Session } from '../session/session.js';
import { named, unfit } from './unfit.js';

/** A kind of object that belongs to no database. The statement has a row if the target has the object of this name. */
type Kind = {
  readonly need: string;
  readonly statement: string;
  readonly what: (name: string) => string;
  readonly help: string;
};

const kinds: readonly Kind[] = [
  {
    need: 'tablespace ',
    statement: 'SELECT 1 FROM information_schema.tablespaces_extensions WHERE tablespace_name = ?',
    what: (name) => `the general tablespace '${name}' (error 3510)`,
    help: 'Create it there before the restore (CREATE TABLESPACE … ADD DATAFILE …), or move the tables on the source (ALTER TABLE … TABLESPACE=innodb_file_per_table) and take another backup.',
  },
  {
    need: 'spatial reference system ',
    statement: 'SELECT 1 FROM information_schema.st_spatial_reference_systems WHERE srs_id = ?',
    what: (name) => `the spatial reference system ${name} (error 3548)`,
    help: 'Create it there with the same definition before the restore (CREATE SPATIAL REFERENCE SYSTEM; the source shows it in information_schema.st_spatial_reference_systems).',
  },
  {
    need: 'parser ',
    statement:
      "SELECT 1 FROM information_schema.plugins WHERE LOWER(plugin_name) = ? AND plugin_type = 'FTPARSER' AND plugin_status = 'ACTIVE'",
    what: (name) => `the full-text parser '${name}' (error 1128)`,
    help: 'Install its plugin there before the restore (INSTALL PLUGIN).',
  },
  {
    need: 'time zone ',
    // The result is NULL for a zone that the server does not know.
    statement:
      "SELECT 1 FROM (SELECT CONVERT_TZ('2024-01-01 00:00:00', ?, '+00:00') AS t) AS known WHERE t IS NOT NULL",
    what: (name) => `the time zone '${name}' (error 1298)`,
    help: 'Load the time zones there before the restore: mysql_tzinfo_to_sql /usr/share/zoneinfo | mysql -u root mysql',
  },
];

/** Refuses a target that lacks an object to which the definitions of the backup refer, and which a dump does not hold. */
export async function refuseMissingServerObjects(session: Session, inventory: Inventory): Promise<void> {
  const needs = inventory.databases.flatMap((database) => Object.entries(database.needs ?? {}));
  for (const { need, statement, what, help } of kinds) {
    const names = new Set(needs.flatMap(([each]) => (each.startsWith(need) ? [each.slice(need.length)] : [])));
    for (const name of names) {
      if (await exists(session, statement, name)) continue;
      const objects = needs.flatMap(([each, all]) => (each === need + name ? all : []));
      throw unfit(
        `The target does not have ${what(name)}, which the backup needs for ${named(objects)}.`,
        help,
        objects,
      );
    }
  }
}

/** A server that has no such list, or does not show it, counts as having the object. */
async function exists(session: Session, statement: string, name: string): Promise<boolean> {
  try {
    return (await session.query(statement, [name])).length > 0;
  } catch (error) {
    if (![1109, 1142, 1227].includes(serverErrorNumber(error) ?? 0)) throw error;
    return true;
  }
}
