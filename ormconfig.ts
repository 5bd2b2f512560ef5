import 'reflect-metadata';
import { DataSource } from 'typeorm';
import { EventLog1700000000001 } from './migrations/1700000000001-eventLog.js';
import { Commands1700000000002 } from './migrations/1700000000002-commands.js';
import { Reservations1700000000003 } from './migrations/1700000000003-reservations.js';
import { Vault1700000000004 } from './migrations/1700000000004-vault.js';
import { JobQueue1700000000005 } from './migrations/1700000000005-jobQueue.js';
import { Telemetry1700000000006 } from './migrations/1700000000006-telemetry.js';
import { ScheduleStore1700000000007 } from './migrations/1700000000007-scheduleStore.js';
import { Workers1700000000008 } from './migrations/1700000000008-workers.js';
import { Claims1700000000009 } from './migrations/1700000000009-claims.js';
import { Projects1700000000101 } from './migrations/1700000000101-projects.js';
import { Services1700000000102 } from './migrations/1700000000102-services.js';
import { FileEndpoints1700000000103 } from './migrations/1700000000103-fileEndpoints.js';
import { BackupPlans1700000000104 } from './migrations/1700000000104-backupPlans.js';
import { BackupJobs1700000000105 } from './migrations/1700000000105-backupJobs.js';
import { RestoreJobs1700000000106 } from './migrations/1700000000106-restoreJobs.js';
import { Lookups1700000000107 } from './migrations/1700000000107-lookups.js';
import { StoredBackups1700000000108 } from './migrations/1700000000108-storedBackups.js';
import { Sweeper1700000000109 } from './migrations/1700000000109-sweeper.js';
import { Retention1700000000110 } from './migrations/1700000000110-retention.js';
import { BackupJobQuestions1700000000111 } from './migrations/1700000000111-backupJobQuestions.js';
import { KeptTargets1700000000112 } from './migrations/1700000000112-keptTargets.js';
import { OutdatedWorkers1700000000200 } from './migrations/1700000000200-outdatedWorkers.js';
import { RestoreWarnings1700000000201 } from './migrations/1700000000201-restoreWarnings.js';
import { BinaryParts1700000000210 } from './migrations/1700000000210-binaryParts.js';
import { YieldToLocks1700000000220 } from './migrations/1700000000220-yieldToLocks.js';
import { ErrorsWithoutData1700000000230 } from './migrations/1700000000230-errorsWithoutData.js';
import { RetriesStandFor1700000000250 } from './migrations/1700000000250-retriesStandFor.js';
import { entities } from './src/composition/entities.js';

/** In the order of their timestamps; a new migration takes the next free number and never changes an old one. */
const migrations = [
  EventLog1700000000001,
  Commands1700000000002,
  Reservations1700000000003,
  Vault1700000000004,
  JobQueue1700000000005,
  Telemetry1700000000006,
  ScheduleStore1700000000007,
  Workers1700000000008,
  Claims1700000000009,
  Projects1700000000101,
  Services1700000000102,
  FileEndpoints1700000000103,
  BackupPlans1700000000104,
  BackupJobs1700000000105,
  RestoreJobs1700000000106,
  Lookups1700000000107,
  StoredBackups1700000000108,
  Sweeper1700000000109,
  Retention1700000000110,
  BackupJobQuestions1700000000111,
  KeptTargets1700000000112,
  OutdatedWorkers1700000000200,
  RestoreWarnings1700000000201,
  BinaryParts1700000000210,
  YieldToLocks1700000000220,
  ErrorsWithoutData1700000000230,
  RetriesStandFor1700000000250,
];

export type ConnectionSettings = {
  /** `postgresql://user:password@host:port/database`. */
  readonly url: string | undefined;
  /** The most connections this data source opens; default 10. */
  readonly poolSize?: number;
  /** Shown in pg_stat_activity; default `stowage`. */
  readonly applicationName?: string;
  /** How long a transaction may lie still before the server ends it, in milliseconds; default 15 s. */
  readonly idleInTransactionMs?: number;
};

/**
 * A process that is frozen, or whose network is gone, must not keep the lock of the log or a lease's row from all others:
 * the server ends what it left open, and notices a dead peer within half a minute instead of hours.
 */
function serverSettings(idleInTransactionMs: number): string {
  const settings = {
    // Where it is the default nobody has to say it at the start of each transaction.
    default_transaction_isolation: 'read\\ committed',
    idle_in_transaction_session_timeout: idleInTransactionMs,
    tcp_keepalives_idle: 10,
    tcp_keepalives_interval: 5,
    tcp_keepalives_count: 3,
    tcp_user_timeout: 30_000,
  };
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ');
}

/** How the program, its tests and the TypeORM command line reach PostgreSQL. The schema comes from migrations alone. */
export function createDataSource(connection: ConnectionSettings): DataSource {
  const { url, poolSize, applicationName, idleInTransactionMs } = connection;
  return new DataSource({
    type: 'postgres',
    ...(url === undefined ? {} : { url }),
    poolSize: poolSize ?? 10,
    applicationName: applicationName ?? 'stowage',
    extra: {
      options: serverSettings(idleInTransactionMs ?? 15_000),
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      connectionTimeoutMillis: 30_000,
      // What asks every few seconds shall not log in each time.
      idleTimeoutMillis: 60_000,
    },
    entities: [...entities],
    migrations,
    migrationsTableName: 'schema_migrations',
    migrationsTransactionMode: 'each',
    synchronize: false,
    installExtensions: false,
    logging: false,
  });
}

/** For `npx typeorm -d dist/ormconfig.js migration:show` and the like; the program makes its own. */
export default createDataSource({
  url: process.env['MIGRATION_DATABASE_URL'] ?? process.env['DATABASE_URL'],
  poolSize: 2,
});
