import type { FoundSettings, SettingRule } from '../mysqlFamily/session/serverSettings.js';
import { serverErrorNumber, type Session } from '../mysqlFamily/session/session.js';

const mebibyte = 1024 * 1024;
const unlimited = '18446744073709551615';

/** The system variables of MySQL 8.0 that change a dump, a restore or our own questions. */
export const mysqlSettings: readonly SettingRule[] = [
  // Variables that change the result of a SELECT.
  {
    name: 'sql_select_limit',
    why: 'cuts every SELECT without a LIMIT: rows, tables and databases are missing',
    ours: unlimited,
    restore: unlimited,
    spoilsDump: (value) => value !== unlimited,
    effect: 'the dump would contain at most that number of rows of each table',
  },
  {
    name: 'character_set_client',
    // Our own sessions use SET NAMES instead.
    why: 'the server reads names in statements in this character set, even if the client requested another one (skip-character-set-client-handshake)',
    spoilsDump: (value) => !/^utf8|^binary$/.test(value),
    onlyFor: 'FOREIGN_NAMES',
    effect: 'mysqldump could not name databases and tables whose names are not in ASCII',
  },
  { name: 'sql_mode', why: 'PAD_CHAR_TO_FULL_LENGTH, ANSI_QUOTES, NO_BACKSLASH_ESCAPES', ours: "''" },
  {
    name: 'sql_quote_show_create',
    why: 'SHOW CREATE leaves names unquoted; mysqldump sets it only after SHOW CREATE DATABASE',
    ours: '1',
    restore: '1',
    spoilsDump: (value) => value === 'OFF',
    effect: 'the dump would contain names of databases without quotes, and no server could read it',
    harmless: '1',
  },
  { name: 'information_schema_stats_expiry', why: 'sizes and times of tables are up to a day old', ours: '0' },
  {
    name: 'show_gipk_in_create_table_and_information_schema',
    why: 'hides generated invisible primary keys and their values',
    ours: '1',
  },
  { name: 'show_create_table_verbosity', why: 'SHOW CREATE adds ROW_FORMAT', ours: '0' },
  { name: 'sql_auto_is_null', why: '`IS NULL` finds the last inserted row', ours: '0' },
  { name: 'time_zone', why: 'TIMESTAMP values and update times', ours: "'+00:00'" },
  { name: 'lc_time_names', why: 'names of days and months', ours: "'en_US'" },
  { name: 'lc_messages', why: 'the language of errors', ours: "'en_US'", restore: "'en_US'" },
  {
    name: 'div_precision_increment',
    why: 'digits of a quotient, also in a stored generated column, which a restore computes again',
    ours: '4',
    recorded: true,
  },
  { name: 'group_concat_max_len', why: 'cuts GROUP_CONCAT', ours: String(16 * mebibyte) },
  { name: 'max_sort_length', why: 'names with the same beginning are not sorted', ours: '1024' },
  {
    name: 'transaction_isolation',
    why: 'a snapshot needs REPEATABLE READ',
    ours: "'REPEATABLE-READ'",
    restore: "'REPEATABLE-READ'",
  },
  {
    name: 'timestamp',
    why: 'init_connect may have fixed the clock of the session',
    ours: 'DEFAULT',
    restore: 'DEFAULT',
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
  { name: 'sql_big_selects', why: 'off: max_join_size applies', ours: '1', restore: '1' },
  {
    name: 'max_join_size',
    why: 'SELECTs from tables with more rows are refused (1104); setting it switches sql_big_selects off',
    spoilsDump: (value, _tool, found) => value !== unlimited && found.get('sql_big_selects')?.value === 'OFF',
    effect: 'the server would refuse to read tables with more rows',
  },
  { name: 'wait_timeout', why: 'ends a session that is idle while storage pauses', ours: '28800', restore: '604800' },
  { name: 'net_read_timeout', why: 'ends a session in a slow statement', ours: '600', restore: '3600' },
  { name: 'net_write_timeout', why: 'ends a session that reads slowly', ours: '600', restore: '3600' },
  { name: 'completion_type', why: 'RELEASE ends a session at COMMIT and ROLLBACK', ours: '0', restore: '0' },
  // Variables that change the values or objects that a statement stores.
  { name: 'autocommit', why: 'off: the rows of the last table are rolled back at the end', ours: '1', restore: '1' },
  { name: 'transaction_read_only', why: 'on: nothing can be written (1792)', ours: '0', restore: '0' },
  { name: 'sql_safe_updates', why: 'refuses UPDATE and DELETE without a key', ours: '0', restore: '0' },
  {
    name: 'innodb_strict_mode',
    why: 'refuses tables that were created while it was off (1118). Setting it needs a privilege',
    restore: '0',
  },
  {
    name: 'explicit_defaults_for_timestamp',
    why: 'off: adds ON UPDATE to a TIMESTAMP without a default. Setting it needs a privilege, so it is set only if it is off',
    restore: '1',
    onlyWhere: (value) => value === 'OFF',
  },
  {
    name: 'innodb_default_row_format',
    why: 'the format of tables that name none. A session cannot set it',
    recorded: true,
  },
  { name: 'max_heap_table_size', why: 'the maximum size of a MEMORY table (1114)', restore: '4294966272' },
];

/** Variables that we read and do not set. */
const alsoRead = [
  'version',
  'version_comment',
  'init_connect',
  'read_only',
  'super_read_only',
  'innodb_read_only',
  'innodb_force_recovery',
  'innodb_file_per_table',
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
