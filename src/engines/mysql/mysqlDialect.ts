import type { Dialect } from '../mysqlFamily/dialect.js';
import { serverErrorNumber, type Row, type Session } from '../mysqlFamily/session/session.js';
import { readHistograms } from './histograms.js';
import { mysqlDumpArguments, oneRowBytes } from './mysqlDumpArguments.js';
import { mysqlLocks } from './mysqlLocks.js';
import { findMysqlLosses } from './mysqlLosses.js';
import { mysqlEngineInstallation, mysqlFeatures, mysqlRelease, mysqlReleaseName } from './mysqlReleases.js';
import { refuseOtherThanMysql } from './mysqlServers.js';
import { findMysqlSettings, mysqlSettings } from './mysqlSettings.js';
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
  findSettings: findMysqlSettings,
  refuseUnsupportedServer: refuseOtherThanMysql,
  skipsInitConnect: () => 'CONNECTION_ADMIN',
  ignoresReadOnly: (found, grants) =>
    found.get('super_read_only')?.value !== 'ON' &&
    (grants.holdsGlobally('SUPER') || grants.holdsGlobally('CONNECTION_ADMIN')),

  limitedSelect: async (session, select, { seconds, lockWaitSeconds, variables = {} }, options) => {
    if (lockWaitSeconds !== undefined) await session.query(`SET SESSION lock_wait_timeout = ${lockWaitSeconds}`);
    const hints = [
      `MAX_EXECUTION_TIME(${Math.max(1, Math.round(seconds * 1000))})`,
      ...Object.entries(variables).map(([name, value]) => `SET_VAR(${name} = ${value})`),
    ];
    return session.query(select.replace(/^\s*SELECT\b/, `SELECT /*+ ${hints.join(' ')} */`), [], options);
  },
  showAll,
  writesNamesInUtf8: true,
  viewAlgorithm: "''",
  connectionsNow:
    "(SELECT variable_value FROM performance_schema.global_status WHERE variable_name = 'Threads_connected')",
  keepsLocks: 'SELECT 1 FROM DUAL WHERE @@log_bin = 1',
  locks: mysqlLocks,

  showGrants: async (session) => {
    const [row] = await session.query('SELECT CURRENT_ROLE() AS roles');
    const roles = row?.['roles'] ?? 'NONE';
    return session.query(roles === 'NONE' ? 'SHOW GRANTS' : `SHOW GRANTS FOR CURRENT_USER() USING ${roles}`);
  },
  readsRoutines: (grants) => grants.holdsGlobally('SELECT') || grants.holdsGlobally('SHOW_ROUTINE'),
  routinesPrivilege: 'SHOW_ROUTINE ON *.*',
  lackingForDefiners: (release, grants) => {
    const names = release >= 80200 ? ['SET_ANY_DEFINER'] : ['SET_USER_ID', 'SUPER'];
    return names.some((name) => grants.holdsGlobally(name)) ? undefined : names[0];
  },

  dumpArguments: mysqlDumpArguments,
  // The dump itself is binary. In this one its definitions are written, and the client reads it.
  dumpCharacterSet: () => 'utf8mb4',
  dumpsHistory: () => false,
  refuseUnfitTool: () => undefined,
  findOwnLosses: findMysqlLosses,
  statementsAfterDump: readHistograms,
  oneRowBytes,

  byHandSettings: 'innodb_strict_mode=0, max_execution_time=0',
  byHandNeeds: 'the mysql client of MySQL 8.0 or newer (not the client of MariaDB that has this name)',
  features: mysqlFeatures,
  releaseOf: mysqlRelease,
  releaseName: mysqlReleaseName,
  engineInstallation: mysqlEngineInstallation,
};

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
