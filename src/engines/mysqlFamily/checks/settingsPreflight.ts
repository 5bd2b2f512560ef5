import { StowageError } from '../../../errors.js';
import type { Inventory } from '../../inventory.js';
import type { PreflightReport } from '../../preflightReport.js';
import type { Grants } from '../privileges/grants.js';
import { distribution } from '../tools/distribution.js';
import { settingsThatSpoilDumps, type FoundSettings, type SpoilingSetting } from '../session/serverSettings.js';
import { serverErrorNumber, type Session } from '../session/session.js';

/**
 * Throws SERVICE_SETTING naming every setting of the server that would truncate, change or end a dump of these
 * databases.
 */
export async function refuseSettingsThatSpoilDumps(
  session: Session,
  databases: readonly { readonly name: string }[],
  toolVersion: string,
): Promise<void> {
  const spoiling: SpoilingSetting[] = [];
  for (const setting of settingsThatSpoilDumps(session.dialect, session.found, distribution(toolVersion) ?? [0, 0])) {
    if (await matters(session, databases, setting)) spoiling.push(setting);
  }
  if (spoiling.length === 0) return;
  const named = spoiling.map(({ name, value, effect }) => `${name} is ${value}: ${effect}`);
  throw new StowageError('SERVICE_SETTING', `The server's settings would spoil the dump. ${named.join('; ')}.`, {
    help: spoiling.map(({ remedy }) => remedy).join(' '),
    details: { settings: Object.fromEntries(spoiling.map(({ name, value }) => [name, value])) },
  });
}

/**
 * Called after a dump. A setting may have changed between the preflight and the login of the dump tool. Nothing shows
 * whether the change came before that login, so the dump is refused.
 */
export async function spoiledMeanwhile(
  session: Session,
  { inventory }: Pick<PreflightReport, 'inventory'>,
): Promise<StowageError | null> {
  try {
    await refuseSettingsThatSpoilDumps(session, inventory.databases, inventory.toolVersion);
    return null;
  } catch (error) {
    if (error instanceof StowageError && error.code === 'SERVICE_SETTING') return error;
    throw error;
  }
}

async function matters(
  session: Session,
  databases: readonly { readonly name: string }[],
  { onlyFor }: SpoilingSetting,
): Promise<boolean> {
  const names = databases.map(({ name }) => name);
  if (onlyFor === 'VERSIONED_TABLES') {
    const sql = `SELECT 1 FROM information_schema.tables
                  WHERE table_schema IN (?) AND table_type = 'SYSTEM VERSIONED' LIMIT 1`;
    return (await session.query(sql, [names])).length > 0;
  }
  if (onlyFor === 'HIDDEN_KEYS') {
    const sql = `SELECT 1 FROM information_schema.columns
                  WHERE table_schema IN (?) AND column_name = 'my_row_id' AND extra LIKE '%INVISIBLE%' LIMIT 1`;
    return (await session.query(sql, [names])).length > 0;
  }
  if (onlyFor === 'FOREIGN_NAMES') {
    if (names.some(isForeign)) return true;
    const all = await session.query(
      `SELECT table_name AS name FROM information_schema.tables WHERE table_schema IN (?)
        UNION SELECT routine_name FROM information_schema.routines WHERE routine_schema IN (?)
        UNION SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema IN (?)
        UNION SELECT event_name FROM information_schema.events WHERE event_schema IN (?)`,
      [names, names, names, names],
    );
    return all.some(({ name }) => isForeign(name ?? ''));
  }
  return true;
}

function isForeign(name: string): boolean {
  // eslint-disable-next-line no-control-regex -- it matches everything that is not ASCII
  return /[^\u0000-\u007f]/.test(name);
}

/**
 * Some servers end idle sessions. The dump tool is idle while it waits for the storage, and has no option to change the
 * limits.
 */
export function warnOfImpatientServer(found: FoundSettings): readonly string[] {
  return ['net_write_timeout', 'wait_timeout', 'idle_transaction_timeout', 'idle_readonly_transaction_timeout'].flatMap(
    (name) => {
      // Newer dump tools set wait_timeout to the server's own value again.
      const setting = found.get(name);
      const seconds = Number(setting?.global ?? setting?.value ?? 0);
      if (setting === undefined || seconds === 0 || seconds >= patientSeconds) return [];
      return [`${name} of the server is ${seconds} s: a storage that pauses for longer ends the dump.`];
    },
  );
}

const patientSeconds = 60;

/** Throws SERVICE_SETTING for a target whose settings the session of the restore tool cannot change. */
export async function refuseTargetSettings(session: Session, inventory: Inventory, grants: Grants): Promise<void> {
  const { found } = session;
  const value = (name: string) => found.get(name)?.value ?? '';
  if (value('read_only') !== '' && value('read_only') !== 'OFF' && !session.dialect.ignoresReadOnly(found, grants)) {
    throw refusal('read_only', value('read_only'), 'the target accepts no data', 'SET GLOBAL read_only = OFF;');
  }
  if (value('innodb_read_only') === 'ON') {
    throw refusal('innodb_read_only', 'ON', 'the target accepts no data in InnoDB tables', null);
  }
  if (Number(value('innodb_force_recovery')) > 3) {
    throw refusal('innodb_force_recovery', value('innodb_force_recovery'), 'InnoDB on the target writes nothing', null);
  }
  if (value('secure_timestamp') === 'YES' && hasHistory(inventory)) {
    const effect = 'the target does not accept the history of system-versioned tables';
    throw refusal('secure_timestamp', 'YES', effect, null);
  }
  refuseRowFormats(found, inventory);
  if (value('aria_encrypt_tables') === 'ON' && holdsAria(inventory) && !(await mayEncrypt(session))) {
    const effect = 'the target encrypts new Aria tables, and has no plugin that provides a key';
    throw refusal('aria_encrypt_tables', 'ON', effect, 'SET GLOBAL aria_encrypt_tables = OFF;');
  }
  if (value('enforce_storage_engine') !== '' && !(await mayAnyEngine(session))) {
    throw refusal(
      'enforce_storage_engine',
      value('enforce_storage_engine'),
      'the target creates every table with that engine, and only SUPER may switch this off',
      'SET GLOBAL enforce_storage_engine = NULL;',
    );
  }
}

function refuseRowFormats(found: FoundSettings, { databases, settings = {} }: Inventory): void {
  const value = (name: string) => found.get(name)?.value;
  const formats = new Set(databases.flatMap(({ tables }) => tables.map(({ rowFormat }) => rowFormat?.toLowerCase())));
  const [ofSource, ofTarget] = [settings['innodb_default_row_format'], value('innodb_default_row_format')];
  // The format DYNAMIC accepts all rows and keys that the older formats accept.
  if (ofSource === 'dynamic' && ofTarget !== undefined && ofTarget !== 'dynamic' && formats.has(ofSource)) {
    const effect = 'tables without a row format of their own were dynamic at the source';
    const statement = 'SET GLOBAL innodb_default_row_format = dynamic;';
    throw refusal('innodb_default_row_format', ofTarget, effect, statement);
  }
  if (!formats.has('compressed')) return;
  if (value('innodb_read_only_compressed') === 'ON') {
    const effect = 'the target writes no tables with ROW_FORMAT=COMPRESSED, and the backup has some';
    throw refusal('innodb_read_only_compressed', 'ON', effect, 'SET GLOBAL innodb_read_only_compressed = OFF;');
  }
  if (value('innodb_file_per_table') === 'OFF') {
    const effect = 'the target creates no tables with ROW_FORMAT=COMPRESSED, and the backup has some';
    throw refusal('innodb_file_per_table', 'OFF', effect, 'SET GLOBAL innodb_file_per_table = ON;');
  }
}

/**
 * Settings of the target that forbid a feature. They end a restore only if a table uses the feature. An older backup
 * does not record whether a table uses it.
 */
export function warnOfTargetSettings(found: FoundSettings, { databases }: Inventory): readonly string[] {
  if (databases.every(({ needs }) => needs !== undefined)) return [];
  if (found.get('innodb_force_primary_key')?.value !== 'ON') return [];
  return ['innodb_force_primary_key of the target is ON: a table without a primary key ends the restore (1173).'];
}

function hasHistory(inventory: Inventory): boolean {
  return inventory.databases.some(({ objects }) => (objects['systemVersionedTables']?.length ?? 0) > 0);
}

function holdsAria(inventory: Inventory): boolean {
  return inventory.databases.some(({ tables }) => tables.some(({ engine }) => engine?.toLowerCase() === 'aria'));
}

/** Without such a plugin every CREATE TABLE of an Aria table fails with error 199. */
async function mayEncrypt(session: Session): Promise<boolean> {
  const sql = "SELECT 1 FROM information_schema.plugins WHERE plugin_type = 'ENCRYPTION' AND plugin_status = 'ACTIVE'";
  return (await session.query(sql)).length > 0;
}

async function mayAnyEngine(session: Session): Promise<boolean> {
  try {
    await session.query('SET SESSION enforce_storage_engine = NULL');
    return true;
  } catch (error) {
    if (serverErrorNumber(error) === 1227) return false;
    throw error;
  }
}

function refusal(name: string, value: string, effect: string, statement: string | null): StowageError {
  return new StowageError('SERVICE_SETTING', `${name} is ${value}: ${effect}.`, {
    help:
      statement === null
        ? `Remove ${name} from the configuration of the target (my.cnf) and restart it, or restore into another server.`
        : `Run on the target: ${statement} and remove ${name} from its configuration (my.cnf).`,
    details: { settings: { [name]: value } },
  });
}
