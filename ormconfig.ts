import 'reflect-metadata';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { DataSource, MigrationInterface } from 'typeorm';
import { slices, type Slice } from './src/composition/slices.js';
import { PatientDataSource } from './src/postgres/patientDataSource.js';
import { patientConnections, patientDriver } from './src/postgres/patientPool.js';

type Migration = new () => MigrationInterface;

/** `<13 digits>-<name>`, as source or compiled. */
const migrationFile = /^(\d{13})-\w+\.(?:ts|js)$/;

/** The classes of `migrations/`, ordered by their numbers. A new migration takes the next free number. */
const migrations = await readMigrations(join(import.meta.dirname, 'migrations'));

async function readMigrations(folder: string): Promise<readonly Migration[]> {
  const files = (await readdir(folder)).filter((name) => migrationFile.test(name)).sort();
  return Promise.all(
    files.map(async (name) => {
      const exported = (await import(pathToFileURL(join(folder, name)).href)) as Readonly<Record<string, Migration>>;
      const [migration, ...others] = Object.values(exported);
      const number = migrationFile.exec(name)?.[1] ?? '';
      if (migration === undefined || others.length > 0 || !migration.name.endsWith(number)) {
        throw new Error(`migrations/${name} must export one class, whose name ends in ${number}.`);
      }
      return migration;
    }),
  );
}

export type ConnectionSettings = {
  /** `postgresql://user:password@host:port/database`. */
  readonly url: string | undefined;
  /** The most connections this data source opens; default 10. */
  readonly poolSize?: number;
  /** Shown in pg_stat_activity; default `stowage`. */
  readonly applicationName?: string;
  /** How long a transaction may stay idle before the server ends it, in milliseconds; default 15 s. */
  readonly idleInTransactionMs?: number;
  /** The entities that the connection knows. Default: all entities of the program. */
  readonly slices?: readonly Slice[];
};

/**
 * A process that is frozen or cut off from the network must not block all others: it may hold the lock of the event log
 * or a lease's row. The server ends its open transaction, and detects a dead peer within half a minute instead of
 * hours.
 */
function serverSettings(idleInTransactionMs: number): string {
  const settings = {
    // This setting is the default, so no statement is needed at the start of each transaction.
    default_transaction_isolation: 'read\\ committed',
    idle_in_transaction_session_timeout: idleInTransactionMs,
    tcp_keepalives_idle: 10,
    tcp_keepalives_interval: 5,
    tcp_keepalives_count: 3,
    tcp_user_timeout: 30_000,
    // The server soon ends a statement whose client has gone, so that it uses no resources any more.
    client_connection_check_interval: 5_000,
  };
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ');
}

/** The connection of the program, its tests and the TypeORM command line. Only migrations create the schema. */
export function createDataSource(connection: ConnectionSettings): DataSource {
  const { url, poolSize, applicationName, idleInTransactionMs } = connection;
  return new PatientDataSource({
    type: 'postgres',
    driver: patientDriver,
    ...(url === undefined ? {} : { url }),
    poolSize: poolSize ?? 10,
    applicationName: applicationName ?? 'stowage',
    extra: {
      ...patientConnections,
      options: serverSettings(idleInTransactionMs ?? 15_000),
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      connectionTimeoutMillis: 30_000,
      // Longer than the pause between two polls, so that each poll reuses its connection.
      idleTimeoutMillis: 60_000,
    },
    entities: (connection.slices ?? slices).map(({ table }) => table),
    migrations: [...migrations],
    migrationsTableName: 'schema_migrations',
    migrationsTransactionMode: 'each',
    synchronize: false,
    installExtensions: false,
    logging: false,
  });
}

/** Used only by TypeORM's command line, for example `npx typeorm -d dist/ormconfig.js migration:show`. */
export default createDataSource({
  url: process.env['MIGRATION_DATABASE_URL'] ?? process.env['DATABASE_URL'],
  poolSize: 2,
});
