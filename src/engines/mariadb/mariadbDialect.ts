import type { Dialect } from '../mysqlFamily/dialect.js';
import type { Grants } from '../mysqlFamily/privileges/grants.js';
import { isOlder, versionOf } from '../mysqlFamily/session/serverSettings.js';
import { readMariadbAccounts } from './accounts/readAccounts.js';
import { findClientPlugins } from './clientPlugins.js';
import { dumpCharacterSet, warnOfConversion } from './dumpCharacterSet.js';
import { dumpsHistory } from './history.js';
import { mariadbDumpArguments } from './mariadbDumpArguments.js';
import { mariadbLocks } from './mariadbLocks.js';
import { engineInstallation, mariadbFeatures, releaseName, releaseOf } from './mariadbReleases.js';
import { findMariadbSettings, mariadbSettings } from './mariadbSettings.js';
import { findMariadbTools } from './mariadbTools.js';
import { refuseToolWithoutSequences } from './refuseToolWithoutSequences.js';
import { refuseUnsupportedServer } from './supportedServers.js';

/** What only MariaDB has, for the code that it shares with MySQL. */
export const mariadbDialect: Dialect = {
  product: 'MariaDB',
  dumpTool: 'mariadb-dump',
  clientTool: 'mariadb',
  // eslint-disable-next-line @typescript-eslint/require-await -- the error becomes a rejection
  findTools: async (tools) => findMariadbTools(tools),
  pluginFolder: findClientPlugins,
  tlsOptions: (mode, ca) => {
    if (mode === 'OFF') return ['skip-ssl'];
    if (mode === 'REQUIRE') return ['ssl', 'skip-ssl-verify-server-cert'];
    return ['ssl', 'ssl-verify-server-cert', ...(ca === null ? [] : [`ssl-ca=${ca}`])];
  },

  settings: mariadbSettings,
  // It refuses other functions that depend on the session (1901).
  expressions: { sessionWords: ['str_to_date'], padsChars: false },
  findSettings: findMariadbSettings,
  refuseUnsupportedServer,
  skipsInitConnect: (found) => (isOlder(versionOf(found), [10, 5]) ? 'SUPER' : 'CONNECTION ADMIN'),
  ignoresReadOnly: (found, grants) => {
    const superIsEnough = isOlder(versionOf(found), [10, 11]) && grants.holdsGlobally('SUPER');
    return superIsEnough || grants.holdsGlobally('READ_ONLY ADMIN') || grants.holdsGlobally('READ ONLY ADMIN');
  },

  limitedSelect: (session, select, { seconds, lockWaitSeconds, variables = {} }, options) => {
    const set = {
      max_statement_time: String(Number(seconds.toFixed(2))),
      ...(lockWaitSeconds === undefined ? {} : { lock_wait_timeout: String(lockWaitSeconds) }),
      ...variables,
    };
    const assignments = Object.entries(set).map(([name, value]) => `${name} = ${value}`);
    return session.query(`SET STATEMENT ${assignments.join(', ')} FOR ${select}`, [], options);
  },
  // A compound statement needs one round trip, which would take longer than the work of the server.
  normalisation: 2,
  ignoresKeyOrder: false,
  showAll: async (session, statements) =>
    statements.length === 0
      ? []
      : session.query(
          `BEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END; ${statements.join('; ')}; END`,
        ),
  writesNamesInUtf8: false,
  viewAlgorithm: 'algorithm',
  connectionsNow:
    "(SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'THREADS_CONNECTED')",
  keepsLocks: `SELECT 1 FROM information_schema.global_variables
    WHERE variable_name IN ('LOG_BIN', 'WSREP_ON') AND variable_value = 'ON'`,
  locks: mariadbLocks,
  // A MariaDB shows them with a plugin too, and has performance_schema switched off by default.
  locksAreTables: false,

  // The server shows the grants of active roles too.
  showGrants: (session) => session.query('SHOW GRANTS'),
  readsRoutines: (grants) =>
    grants.holdsOnTable('SELECT', 'mysql', 'proc') || grants.holdsGlobally('SHOW CREATE ROUTINE'),
  routinesPrivilege: 'SELECT ON `mysql`.`proc`',
  lackingForDefiners: (release, grants) => lacking(release, grants, setUser),

  lackingForDefinersOfSystem: () => Promise.resolve([]),
  backupGrants: ['PROCESS, SHOW DATABASES ON *.*', 'SELECT ON `mysql`.`proc`'],
  restoreGrants: (release) => [release >= setUser.since ? 'SET USER ON *.*' : 'SUPER ON *.*'],
  settableFor: ({ found }) => Promise.resolve(found),

  dumpArguments: mariadbDumpArguments,
  escapesDatabases: false,
  dumpCharacterSet,
  dumpsHistory,
  refuseUnfitTool: (toolVersion, { sequences }) => refuseToolWithoutSequences(toolVersion, sequences),
  readAccounts: readMariadbAccounts,
  statementsAfterDump: () => Promise.resolve([]),
  findOwnLosses: (_session, catalog, definitions) => Promise.resolve(warnOfConversion(catalog, definitions)),

  byHandSettings: 'check_constraint_checks=0, innodb_strict_mode=0, max_statement_time=0',
  // Older clients were not tested.
  byHandNeeds: 'the client of MariaDB 10.2.11 or newer (mariadb; before 10.4.6 it is called mysql)',
  features: mariadbFeatures,
  releaseOf,
  releaseName,
  engineInstallation,
};

/**
 * A privilege that replaced SUPER for one purpose, with the release that introduced it and the release in which SUPER
 * no longer includes it.
 */
type Privilege = { readonly name: string; readonly since: number; readonly superUntil: number };
const setUser: Privilege = { name: 'SET USER', since: 1005, superUntil: 1100 };

/** The privilege to grant globally. Undefined: the user already has it. Tested on 10.2, 10.11 and 11.4. */
function lacking(release: number, grants: Grants, privilege: Privilege): string | undefined {
  const held =
    (release >= privilege.since && grants.holdsGlobally(privilege.name)) ||
    (release < privilege.superUntil && grants.holdsGlobally('SUPER'));
  if (held) return undefined;
  return release >= privilege.since ? privilege.name : 'SUPER';
}
