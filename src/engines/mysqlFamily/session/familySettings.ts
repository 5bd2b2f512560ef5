import type { SettingRule } from './serverSettings.js';

const mebibyte = 1024 * 1024;
export const unlimited = '18446744073709551615';

/** The system variables of MariaDB and of MySQL that change a dump, a restore or our own questions in the same way. */
export function familySettings(dumpTool: string): readonly SettingRule[] {
  return [...changingAnswers(dumpTool), ...endingStatements, ...changingWhatIsStored];
}

const changingAnswers = (dumpTool: string): readonly SettingRule[] => [
  {
    name: 'sql_select_limit',
    why: 'cuts every SELECT and SHOW without a LIMIT: rows, tables and databases are missing',
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
    effect: `${dumpTool} could not name databases and tables whose names are not in ASCII`,
  },
  { name: 'sql_mode', why: 'PAD_CHAR_TO_FULL_LENGTH, ANSI_QUOTES, NO_BACKSLASH_ESCAPES, ORACLE', ours: "''" },
  {
    name: 'sql_quote_show_create',
    why: `SHOW CREATE leaves names unquoted; ${dumpTool} sets it only after SHOW CREATE DATABASE`,
    ours: '1',
    // MariaDB stores triggers in the form in which this setting shows them.
    restore: '1',
    spoilsDump: (value) => value === 'OFF',
    effect: 'the dump would contain names of databases without quotes, and no server could read it',
    harmless: '1',
  },
  { name: 'sql_auto_is_null', why: '`IS NULL` finds the last inserted row', ours: '0' },
  { name: 'time_zone', why: 'TIMESTAMP values and update times', ours: "'+00:00'" },
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
    name: 'timestamp',
    why: 'init_connect may have fixed the clock of the session',
    ours: 'DEFAULT',
    restore: 'DEFAULT',
  },
];

/** Variables that abort a statement or a session. */
const endingStatements: readonly SettingRule[] = [
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
];

/** Variables that change the values or objects that a statement stores. */
const changingWhatIsStored: readonly SettingRule[] = [
  { name: 'autocommit', why: 'off: the rows of the last table are rolled back at the end', ours: '1', restore: '1' },
  { name: 'sql_safe_updates', why: 'refuses UPDATE and DELETE without a key', ours: '0', restore: '0' },
  {
    name: 'innodb_strict_mode',
    why: 'refuses tables that were created while it was off (1118). On MySQL, setting it needs a privilege',
    restore: '0',
  },
  {
    name: 'innodb_default_row_format',
    why: 'the format of tables that name none: older formats allow only shorter keys (1709). A session cannot set it',
    recorded: true,
  },
  { name: 'max_heap_table_size', why: 'the maximum size of a MEMORY table (1114)', restore: '4294966272' },
];
