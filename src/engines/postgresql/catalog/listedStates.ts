import type { EngineContext } from '../../engineContext.js';
import type { TableState, UnsureTable } from '../../rowCounting.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { openSessionAt, withSession } from '../session/session.js';
import type { PostgresqlSettings } from '../settings.js';
import { listTables } from './tables.js';

/**
 * The tables that exist, of those that a dump does not hold. Rows are not counted again: pg_dump reads all of one snapshot or
 * ends with an error, so the count in the dump is the only one of that snapshot.
 */
export async function listedStates(
  connection: ServiceConnection,
  tables: readonly UnsureTable[],
  settings: PostgresqlSettings,
  context: EngineContext,
): Promise<readonly TableState[]> {
  const session = { ...settings, ...context };
  return withSession(connection, session, undefined, async ({ server }) => {
    const states: TableState[] = [];
    for (const database of new Set(tables.map((each) => each.database))) {
      const opened = await openSessionAt(connection, [server], session, database);
      try {
        const there = new Set((await listTables(opened)).map(({ name }) => name));
        const wanted = tables.filter((each) => each.database === database && there.has(each.name));
        states.push(...wanted.map(({ name, rows }) => ({ database, name, rows })));
      } finally {
        opened.close();
      }
    }
    return states;
  });
}
