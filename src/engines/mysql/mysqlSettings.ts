import { familySettings } from '../mysqlFamily/session/familySettings.js';
import type { FoundSettings, SettingRule } from '../mysqlFamily/session/serverSettings.js';
import { serverErrorNumber, type Session } from '../mysqlFamily/session/session.js';

const mebibyte = 1024 * 1024;

/** The system variables of MySQL 8.0 that change a dump, a restore or our own questions. */
export const mysqlSettings: readonly SettingRule[] = [
  ...familySettings('mysqldump'),
  // Variables that change the result of a SELECT.
  { name: 'information_schema_stats_expiry', why: 'sizes and times of tables are up to a day old', ours: '0' },
  {
    name: 'show_gipk_in_create_table_and_information_schema',
    why: 'hides generated invisible primary keys and their values',
    ours: '1',
    spoilsDump: (value) => value === 'OFF',
    onlyFor: 'HIDDEN_KEYS',
    effect: 'the dump would not contain the generated invisible primary keys of tables',
    harmless: '1',
  },
  { name: 'show_create_table_verbosity', why: 'SHOW CREATE adds ROW_FORMAT', ours: '0' },
  {
    name: 'lc_time_names',
    why: 'names of days and months, also in generated columns, which a restore computes again',
    ours: "'en_US'",
    recorded: true,
  },
  {
    name: 'default_week_format',
    why: 'the result of WEEK, also in generated columns, which a restore computes again',
    ours: '0',
    recorded: true,
  },
  {
    name: 'block_encryption_mode',
    why: 'the result of AES_ENCRYPT, also in generated columns, which a restore computes again',
    ours: "'aes-128-ecb'",
    recorded: true,
  },
  {
    name: 'transaction_isolation',
    why: 'a snapshot needs REPEATABLE READ',
    ours: "'REPEATABLE-READ'",
    restore: "'REPEATABLE-READ'",
  },
  // Variables that abort a statement or a session.
  {
    name: 'max_execution_time',
    why: 'ends long SELECTs; mysqldump does not set it',
    ours: '0',
    restore: '0',
    spoilsDump: (value) => Number(value) > 0,
    effect: 'the server would end the dump of large tables',
    harmless: '0',
  },
  // Variables that change the values or objects that a statement stores.
  {
    name: 'default_collation_for_utf8mb4',
    why: 'a routine names only its character set if its collation is utf8mb4_0900_ai_ci, and gets this one instead',
    ours: "'utf8mb4_0900_ai_ci'",
    restore: "'utf8mb4_0900_ai_ci'",
    // The server warns of each statement that sets it.
    onlyWhere: (value) => value !== 'utf8mb4_0900_ai_ci',
  },
  { name: 'transaction_read_only', why: 'on: nothing can be written (1792)', ours: '0', restore: '0' },
  {
    name: 'explicit_defaults_for_timestamp',
    why: 'off: adds ON UPDATE to a TIMESTAMP without a default. Setting it needs a privilege, so it is set only if it is off',
    restore: '1',
    onlyWhere: (value) => value === 'OFF',
  },
];

/**
 * The threads that COUNT(*) of one table starts, 4 by default. MySQL has it since 8.0.14. Starting them takes longer than to
 * count a small table, so `limitedSelect` changes it.
 */
export const parallelReadThreads = 'innodb_parallel_read_threads';

/** Variables that we read and do not set when a session starts. */
const alsoRead = [
  'version',
  'version_comment',
  'init_connect',
  'read_only',
  'super_read_only',
  'innodb_read_only',
  'innodb_force_recovery',
  'innodb_file_per_table',
  parallelReadThreads,
  'sql_require_primary_key',
  'sql_generate_invisible_primary_key',
];
const globalOnly: ReadonlySet<string> = new Set([...alsoRead, 'innodb_default_row_format']);

/** Has its own LIMIT, because sql_select_limit would cut the result. */
const foundSettingsQuery = `SELECT s.variable_name AS name, s.variable_value AS value, g.variable_value AS global_value
   FROM performance_schema.session_variables s LEFT JOIN performance_schema.global_variables g USING (variable_name)
  WHERE s.variable_name IN (${[...mysqlSettings.map(({ name }) => name), ...alsoRead].map((name) => `'${name}'`).join(',')}) LIMIT 1000`;

/** The first query runs with the server's own settings, so a setting may make it fail. */
export async function findMysqlSettings(query: Session['query']): Promise<FoundSettings> {
  const read = async (): Promise<FoundSettings> => {
    const rows = await query(foundSettingsQuery, [], { maxBytes: mebibyte });
    return new Map(
      rows.map((row) => {
        const name = (row['name'] ?? '').toLowerCase();
        const value = row['value'] ?? '';
        return [name, { value, global: row['global_value'] ?? null, ofSession: !globalOnly.has(name) }];
      }),
    );
  };
  try {
    return await read();
  } catch (error) {
    // 1104: max_join_size; 3024: max_execution_time.
    const number = serverErrorNumber(error);
    if (number !== 1104 && number !== 3024) throw error;
    const [before = {}] = await query('SELECT @@max_execution_time AS max_execution_time LIMIT 1');
    await query('SET SESSION max_execution_time = 0, sql_big_selects = 1');
    const found = new Map(await read());
    const [time, selects] = [found.get('max_execution_time'), found.get('sql_big_selects')];
    if (time !== undefined) found.set('max_execution_time', { ...time, value: before['max_execution_time'] ?? '0' });
    if (selects !== undefined && number === 1104) found.set('sql_big_selects', { ...selects, value: 'OFF' });
    return found;
  }
}
