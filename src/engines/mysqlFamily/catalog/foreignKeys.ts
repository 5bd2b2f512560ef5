import type { ListedDatabase } from './selection.js';
import { serverErrorNumber, type Row, type Session } from '../session/session.js';

export type ForeignKey = {
  readonly database: string;
  readonly name: string;
  readonly table: string;
  readonly referencedDatabase: string;
};

/**
 * The foreign keys of these databases into another database. Reads InnoDB's own list if the user has the PROCESS
 * privilege, because information_schema.referential_constraints opens every table.
 */
export async function readForeignKeysElsewhere(
  session: Session,
  databases: readonly ListedDatabase[],
): Promise<readonly ForeignKey[]> {
  const names = databases.map(({ name }) => name);
  const chosen = new Set(names);
  const rows = (await innodbList(session)) ?? (await standardList(session, names));
  return rows
    .map((row) => ({
      database: row['db'] ?? '',
      name: row['name'] ?? '',
      table: row['table_name'] ?? '',
      referencedDatabase: row['referenced_database'] ?? '',
    }))
    .filter(({ database }) => chosen.has(database));
}

/** InnoDB names a table like its file: `database/table` in the character set `filename`. */
async function innodbList(session: Session): Promise<readonly Row[] | undefined> {
  const decoded = (part: string) => `CONVERT(CONVERT(CONVERT(${part} USING binary) USING filename) USING utf8mb4)`;
  const [database, table] = ["SUBSTRING_INDEX(for_name, '/', 1)", "SUBSTRING_INDEX(for_name, '/', -1)"] as const;
  const referenced = "SUBSTRING_INDEX(ref_name, '/', 1)";
  try {
    return await session.query(
      `SELECT ${decoded(database)} AS db, SUBSTRING(id, LENGTH(${database}) + 2) AS name, ${decoded(table)} AS table_name,
              ${decoded(referenced)} AS referenced_database
         FROM information_schema.innodb_sys_foreign WHERE ${database} <> ${referenced}`,
    );
  } catch (error) {
    // 1227: the PROCESS privilege is missing; 1109: the server has no list of InnoDB; 1115: it is MySQL, whose own list
    // needs no table to be opened.
    const number = serverErrorNumber(error);
    if (number === 1227 || number === 1109 || number === 1115) return undefined;
    throw error;
  }
}

async function standardList(session: Session, databases: readonly string[]): Promise<readonly Row[]> {
  return session.query(
    `SELECT constraint_schema AS db, constraint_name AS name, table_name AS table_name,
            unique_constraint_schema AS referenced_database
       FROM information_schema.referential_constraints
      WHERE constraint_schema IN (?) AND unique_constraint_schema <> constraint_schema`,
    [databases],
  );
}
