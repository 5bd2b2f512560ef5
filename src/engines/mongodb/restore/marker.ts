import { StowageError } from '../../../errors.js';
import type { Inventory } from '../../inventory.js';
import { serverErrorNumber, type Session } from '../session/session.js';

/**
 * A restore creates this collection in each of its databases before it begins, and drops it at its end. MongoDB has no
 * named locks, but only one session can create a collection. So two restores never write to the same database. A restore
 * that was killed leaves the collection behind, in a database that is incomplete anyway.
 */
export type RestoreMarker = {
  readonly databases: readonly string[];
  readonly collection: string;
};

/** The name differs from every collection of the backup. */
export function markerOf(inventory: Inventory, databases: readonly string[]): RestoreMarker {
  const taken = new Set(inventory.databases.flatMap(({ tables }) => tables.map(({ name }) => name)));
  let collection = 'stowage.restoring';
  while (taken.has(collection)) collection += '_';
  return { databases, collection };
}

/** 48 NamespaceExists. */
const existsAlready = 48;

/** Throws TARGET_EXISTS if another restore is creating one of the databases. Then it has changed nothing. */
export async function setMarker(session: Session, { databases, collection }: RestoreMarker): Promise<void> {
  const done: string[] = [];
  for (const database of databases) {
    try {
      await session.command(database, { create: collection });
      done.push(database);
    } catch (error) {
      await clearMarker(session, { databases: done, collection });
      if (serverErrorNumber(error) !== existsAlready) throw error;
      throw new StowageError('TARGET_EXISTS', `Another restore has begun to create the database '${database}'.`, {
        help: 'This restore has written nothing. Wait until the other restore has ended, and check what it has created.',
        details: { existing: [database] },
        cause: error,
      });
    }
  }
}

/** 26 NamespaceNotFound: it was dropped already. */
export async function clearMarker(session: Session, { databases, collection }: RestoreMarker): Promise<void> {
  for (const database of databases) {
    await session.command(database, { drop: collection }).catch((error: unknown) => {
      if (serverErrorNumber(error) !== 26) throw error;
    });
  }
}
