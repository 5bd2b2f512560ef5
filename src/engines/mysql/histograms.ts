import type { Dialect } from '../mysqlFamily/dialect.js';
import { quoteName } from '../mysqlFamily/privileges/grants.js';

/**
 * The statements that create the histograms of these databases again, with the same number of buckets. The values of the
 * restored rows fill them (MySQL manual, "Optimizer Statistics").
 */
export const readHistograms: Dialect['statementsAfterDump'] = async (session, { databases }) => {
  const rows = await session.query(
    `SELECT schema_name AS db, table_name AS name, column_name AS of_column,
            histogram->>'$."number-of-buckets-specified"' AS buckets, histogram->>'$."auto-update"' AS auto_update
       FROM information_schema.column_statistics WHERE schema_name IN (?)
      ORDER BY schema_name, table_name, column_name`,
    [databases.map(({ name }) => name)],
  );
  return rows.map((row) => {
    const table = `${quoteName(row['db'] ?? '')}.${quoteName(row['name'] ?? '')}`;
    const column = quoteName(row['of_column'] ?? '');
    const update = row['auto_update'] === 'true' ? ' AUTO UPDATE' : '';
    return `/*!80002 ANALYZE TABLE ${table} UPDATE HISTOGRAM ON ${column} WITH ${Number(row['buckets'])} BUCKETS${update} */`;
  });
};
