import type { Dialect } from '../mysqlFamily/dialect.js';
import type { Grants } from '../mysqlFamily/privileges/grants.js';
import type { FoundSettings } from '../mysqlFamily/session/serverSettings.js';
import { serverErrorNumber, type Row, type Session } from '../mysqlFamily/session/session.js';
import { readMysqlAccounts } from './accounts/readAccounts.js';
import { readTablesInBulk } from './bulk/readTablesInBulk.js';
import { readHistograms } from './histograms.js';
import { mysqlDumpArguments, oneRowBytes } from './mysqlDumpArguments.js';
import { mysqlLocks } from './mysqlLocks.js';
import { findMysqlLosses } from './mysqlLosses.js';
import { mysqlEngineInstallation, mysqlFeatures, mysqlRelease, mysqlReleaseName } from './mysqlReleases.js';
import { refuseOtherThanMysql } from './mysqlServers.js';
import { findMysqlSettings, mysqlSettings, parallelReadThreads } from './mysqlSettings.js';
import { findMysqlTools } from './mysqlTools.js';

/** What only MySQL has, for the code that it shares with MariaDB. */
export const mysqlDialect: Dialect = {
  product: 'MySQL',
  dumpTool: 'mysqldump',
  clientTool: 'mysql',
  findTools: findMysqlTools,
  pluginFolder: () => Promise.resolve(undefined),
  tlsOptions: (mode, ca) => {
    // Without TLS, caching_sha2_password encrypts the password with the public key of the server.
    if (mode === 'OFF') return ['ssl-mode=DISABLED', 'get-server-public-key'];
    if (mode === 'REQUIRE') return ['ssl-mode=REQUIRED'];
    return ['ssl-mode=VERIFY_IDENTITY', `ssl-ca=${ca ?? systemAuthorities}`];
  },

  settings: mysqlSettings,
  expressions: {
    // They depend on lc_time_names, default_week_format and block_encryption_mode.
    sessionWords: [
      ...['week', 'dayname', 'monthname', 'date_format', 'time_format', 'str_to_date'],
      ...['aes_encrypt', 'aes_decrypt'],
    ],
    padsChars: true,
  },
  findSettings: findMysqlSettings,
  refuseUnsupportedServer: refuseOtherThanMysql,
  skipsInitConnect: () => 'CONNECTION_ADMIN',
  ignoresReadOnly: (found, grants) =>
    found.get('super_read_only')?.value !== 'ON' &&
    (grants.holdsGlobally('SUPER') || grants.holdsGlobally('CONNECTION_ADMIN')),

  limitedSelect: async (session, select, limits, options) => {
    const { seconds, lockWaitSeconds, readsFewRows, variables = {} } = limits;
    const settings = [
      ...(lockWaitSeconds === undefined ? [] : [`lock_wait_timeout = ${lockWaitSeconds}`]),
      ...(readsFewRows === undefined || !session.found.has(parallelReadThreads)
        ? []
        : [`${parallelReadThreads} = ${readsFewRows ? '1' : 'DEFAULT'}`]),
    ];
    if (settings.length > 0) await session.query(`SET SESSION ${settings.join(', ')}`);
    const hints = [
      `MAX_EXECUTION_TIME(${Math.max(1, Math.round(seconds * 1000))})`,
      ...Object.entries(variables).map(([name, value]) => `SET_VAR(${name} = ${value})`),
    ];
    return session.query(select.replace(/^\s*SELECT\b/, `SELECT /*+ ${hints.join(' ')} */`), [], options);
  },
  normalisation: 3,
  ignoresKeyOrder: true,
  readTablesInBulk,
  showAll,
  writesNamesInUtf8: true,
  viewAlgorithm: "''",
  connectionsNow:
    "(SELECT variable_value FROM performance_schema.global_status WHERE variable_name = 'Threads_connected')",
  keepsLocks: 'SELECT 1 FROM DUAL WHERE @@log_bin = 1',
  locks: mysqlLocks,
  locksAreTables: true,

  showGrants: async (session) => {
    const [row] = await session.query('SELECT CURRENT_ROLE() AS roles');
    const roles = row?.['roles'] ?? 'NONE';
    return session.query(roles === 'NONE' ? 'SHOW GRANTS' : `SHOW GRANTS FOR CURRENT_USER() USING ${roles}`);
  },
  readsRoutines: (grants) => grants.holdsGlobally('SELECT') || grants.holdsGlobally('SHOW_ROUTINE'),
  routinesPrivilege: 'SHOW_ROUTINE ON *.*',
  lackingForDefiners: (release, grants) => {
    const names = release >= setAnyDefiner ? ['SET_ANY_DEFINER'] : ['SET_USER_ID', 'SUPER'];
    return names.some((name) => grants.holdsGlobally(name)) ? undefined : names[0];
  },
  lackingForDefinersOfSystem,
  backupGrants: ['PROCESS, SHOW DATABASES, SHOW_ROUTINE ON *.*', 'SELECT ON `performance_schema`.*'],
  // An object whose definer has SYSTEM_USER, as root has, can be created only by an account that has it too.
  restoreGrants: (release) => [
    `SYSTEM_USER, SESSION_VARIABLES_ADMIN, ${release >= setAnyDefiner ? 'SET_ANY_DEFINER, ALLOW_NONEXISTENT_DEFINER' : 'SET_USER_ID'} ON *.*`,
  ],
  settableFor,

  dumpArguments: mysqlDumpArguments,
  escapesDatabases: true,
  // The dump itself is binary. In this one its definitions are written, and the client reads it.
  dumpCharacterSet: () => 'utf8mb4',
  dumpsHistory: () => false,
  refuseUnfitTool: () => undefined,
  findOwnLosses: findMysqlLosses,
  readAccounts: readMysqlAccounts,
  statementsAfterDump: readHistograms,
  oneRowBytes,

  byHandSettings: 'max_execution_time=0',
  byHandNeeds: 'the mysql client of MySQL 8.0 or newer (not the client of MariaDB that has this name)',
  features: mysqlFeatures,
  releaseOf: mysqlRelease,
  releaseName: mysqlReleaseName,
  engineInstallation: mysqlEngineInstallation,
};

/** This release divided SET_USER_ID in two. */
const setAnyDefiner = 80200;

/** The CAs of Debian, Ubuntu and Alpine. MySQL's tools have no default. */
const systemAuthorities = '/etc/ssl/certs/ca-certificates.crt';

/** MySQL has no compound statement outside of a routine. The questions are sent together, so no round trip is waited for. */
async function showAll(session: Session, statements: readonly string[]): Promise<readonly Row[]> {
  const answers = statements.map((statement) =>
    session.query(statement).catch((error: unknown): readonly Row[] => {
      if (serverErrorNumber(error) === undefined) throw error;
      return [];
    }),
  );
  return (await Promise.all(answers)).flat();
}

/** MySQL lets only accounts with SESSION_VARIABLES_ADMIN set some variables (1227). */
async function settableFor(session: Session): Promise<FoundSettings> {
  const { found } = session;
  const settings = new Map(found);
  for (const name of ['innodb_strict_mode', 'explicit_defaults_for_timestamp']) {
    const setting = found.get(name);
    if (setting === undefined) continue;
    await session.query(`SET SESSION ${name} = @@SESSION.${name}`).catch((error: unknown) => {
      if (serverErrorNumber(error) !== 1227) throw error;
      settings.set(name, { ...setting, ofSession: false });
    });
  }
  return settings;
}

/** Only an account with SYSTEM_USER may create objects of a definer that has it, as root has (1227). */
async function lackingForDefinersOfSystem(
  session: Session,
  definers: readonly string[],
  grants: Grants,
): Promise<readonly string[]> {
  if (definers.length === 0 || grants.holdsGlobally('SYSTEM_USER')) return [];
  try {
    const rows = await session.query(
      "SELECT CONCAT(user, '@', host) AS account FROM mysql.global_grants WHERE priv = 'SYSTEM_USER'",
    );
    return rows.some((row) => definers.includes(row['account'] ?? '')) ? ['SYSTEM_USER'] : [];
  } catch (error) {
    // 1142: the user may not read the accounts. Otherwise the restore itself fails.
    if (serverErrorNumber(error) !== 1142) throw error;
    return [];
  }
}
