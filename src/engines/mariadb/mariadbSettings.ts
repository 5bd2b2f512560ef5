import { familySettings, unlimited } from '../mysqlFamily/session/familySettings.js';
import { isOlder, type FoundSettings, type SettingRule } from '../mysqlFamily/session/serverSettings.js';
import { serverErrorNumber, type Session } from '../mysqlFamily/session/session.js';

const mebibyte = 1024 * 1024;

/**
 * The system variables of MariaDB 10.2 to 11.4. They were found by setting every dynamic variable to each of its values
 * (for a number, to both ends of its range) and comparing dumps and restores. mariadbSettings.test.ts repeats this for the
 * variables of this table.
 */
export const mariadbSettings: readonly SettingRule[] = [
  ...familySettings('mariadb-dump'),
  // Variables that change the result of a SELECT.
  {
    name: 'system_versioning_asof',
    why: 'a SELECT from a versioned table returns the rows of that time',
    ours: 'DEFAULT',
    restore: 'DEFAULT',
    spoilsDump: (value) => value !== 'DEFAULT',
    onlyFor: 'VERSIONED_TABLES',
    effect: 'the dump would hold the rows that system-versioned tables had at another time',
  },
  { name: 'lc_time_names', why: 'names of days and months', ours: "'en_US'" },
  {
    name: 'default_regex_flags',
    why: 'the result of REGEXP, also in a stored generated column',
    ours: "''",
    recorded: true,
  },
  {
    name: 'tx_isolation',
    why: 'a snapshot needs REPEATABLE READ',
    ours: "'REPEATABLE-READ'",
    restore: "'REPEATABLE-READ'",
  },
  // Variables that abort a statement or a session.
  {
    name: 'max_statement_time',
    why: 'ends long statements; only newer versions of mariadb-dump set it themselves',
    ours: '0',
    restore: '0',
    spoilsDump: (value, tool) => Number(value) > 0 && isOlder(tool, [10, 11]),
    effect: 'this version of mariadb-dump cannot switch it off, and the server would end the dump of large tables',
    harmless: '0',
  },
  {
    name: 'max_session_mem_used',
    why: 'a session that needs more memory gets error 1290',
    ours: '9223372036854775807',
    restore: '9223372036854775807',
    spoilsDump: (value) => Number(value) < 64 * mebibyte,
    effect: 'the server would end the dump when its session needs more memory',
  },
  {
    name: 'tmp_disk_table_size',
    why: 'SHOW and information_schema need temporary tables (1114)',
    ours: unlimited,
    restore: unlimited,
    spoilsDump: (value) => Number(value) < 16 * mebibyte,
    effect: 'the server would refuse the questions of mariadb-dump about tables and views',
  },
  { name: 'idle_transaction_timeout', why: 'ends a session between statements', ours: '0', restore: '0' },
  { name: 'idle_readonly_transaction_timeout', why: 'ends a session between statements', ours: '0', restore: '0' },
  { name: 'idle_write_transaction_timeout', why: 'ends a session between statements', ours: '0', restore: '0' },
  // Variables that change the values or objects that a statement stores.
  { name: 'tx_read_only', why: 'on: nothing can be written (1792)', ours: '0', restore: '0' },
  { name: 'check_constraint_checks', why: 'a restore accepts rows that violate a CHECK', restore: '0' },
  { name: 'innodb_default_encryption_key_id', why: 'adds ENCRYPTION_KEY_ID to every table', restore: '1' },
  { name: 'innodb_compression_default', why: 'adds PAGE_COMPRESSED to every table', restore: '0' },
  {
    name: 'explicit_defaults_for_timestamp',
    why: 'off: adds ON UPDATE to a TIMESTAMP without a default',
    restore: '1',
  },
  {
    name: 'character_set_collations',
    why: 'another collation for objects that name only their character set',
    restore: "''",
  },
  { name: 'standard_compliant_cte', why: 'refuses views that were created while it was off (4008)', restore: '0' },
  { name: 'sql_if_exists', why: 'adds IF EXISTS to statements', restore: '0' },
  {
    name: 'old_mode',
    why: 'without UTF8_IS_UTF8MB3 the utf8 of older servers becomes utf8mb4',
    restore: "'UTF8_IS_UTF8MB3'",
    // An older server always behaves like this, and does not know the value.
    onlyWhere: (value, server) => !isOlder(server, [10, 6]) && !value.includes('UTF8_IS_UTF8MB3'),
  },
  {
    name: 'enforce_storage_engine',
    why: 'creates every table with this engine; only SUPER may switch it off',
    restore: 'NULL',
    onlyWhere: (value) => value !== '',
  },
];

/** Variables that we read and do not set. */
const alsoRead = [
  'version',
  'version_comment',
  'init_connect',
  'read_only',
  'innodb_read_only',
  'innodb_force_recovery',
  'innodb_force_primary_key',
  'innodb_file_per_table',
  'innodb_read_only_compressed',
  'secure_timestamp',
  'aria_encrypt_tables',
  'myisam_use_mmap',
];

/** Has its own LIMIT, because sql_select_limit would cut the result. `readFoundSettings` reads its rows. */
const foundSettingsQuery = `SELECT variable_name AS name, COALESCE(session_value, global_value) AS value,
    global_value, variable_scope AS scope FROM information_schema.system_variables
  WHERE variable_name IN (${[...mariadbSettings.map(({ name }) => name), ...alsoRead].map((name) => `'${name}'`).join(',')}) LIMIT 1000`;

function readFoundSettings(rows: readonly Readonly<Record<string, string | null>>[]): FoundSettings {
  return new Map(
    rows.map((row) => [
      (row['name'] ?? '').toLowerCase(),
      {
        value: row['value'] ?? '',
        global: row['global_value'] ?? null,
        ofSession: (row['scope'] ?? '').startsWith('SESSION'),
      },
    ]),
  );
}

/** The first query runs with the server's own settings, so a setting may make it fail. */
export async function findMariadbSettings(query: Session['query']): Promise<FoundSettings> {
  try {
    return readFoundSettings(await query(foundSettingsQuery, [], { maxBytes: settingsAnswerBytes }));
  } catch (error) {
    if (!abortedBySetting.has(serverErrorNumber(error) ?? 0)) throw error;
    const [before = {}] = await query(`SELECT ${limits.map((name) => `@@${name} AS ${name}`).join()} LIMIT 1`);
    await query(`SET SESSION ${limits.map((name) => `${name}=${limitless[name]}`).join()}`);
    const found = new Map(readFoundSettings(await query(foundSettingsQuery, [], { maxBytes: settingsAnswerBytes })));
    for (const name of limits) {
      const setting = found.get(name);
      if (setting !== undefined) found.set(name, { ...setting, value: before[name] ?? setting.value });
    }
    return found;
  }
}

/** 1104 max_join_size, 1114 no room for a temporary table, 1290 no memory for the session, 1969 max_statement_time. */
const abortedBySetting = new Set([1104, 1114, 1290, 1969]);
const limitless: Readonly<Record<string, string>> = {
  max_statement_time: '0',
  tmp_disk_table_size: '18446744073709551615',
  max_session_mem_used: '9223372036854775807',
  sql_big_selects: '1',
};
const limits = Object.keys(limitless);

const settingsAnswerBytes = 1024 * 1024;
