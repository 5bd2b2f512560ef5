import { quoteName } from '../catalog/names.js';
import { listTables } from '../catalog/tables.js';
import type { Session } from '../session/session.js';

const tablesAtOnce = 200;
/** A table with more pages is analyzed alone, so that each answer comes in time. */
const largePages = 10_000;
const longestMs = 3_600_000;

/** Runs ANALYZE for all tables of the session's database, also for those that partitions and indexes with expressions have. */
export async function analyze(session: Session): Promise<void> {
  const tables = (await listTables(session)).filter(({ relkind }) => relkind !== 'f');
  for (let begin = 0; begin < tables.length;) {
    const batch: string[] = [];
    while (begin < tables.length && batch.length < tablesAtOnce) {
      const table = tables[begin];
      begin += 1;
      if (table === undefined) break;
      batch.push(`${quoteName(table.schema)}.${quoteName(table.table)}`);
      if (table.pages > largePages) break;
    }
    await session.query(`ANALYZE ${batch.join(', ')}`, [], { timeoutMs: longestMs });
  }
}
