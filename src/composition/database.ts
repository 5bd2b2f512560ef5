import type { DataSource } from 'typeorm';
import { createDataSource, type ConnectionSettings } from '../../ormconfig.js';
import type { MigrateConfig } from '../config.js';
import { StowageError } from '../errors.js';
import type { Log } from '../log.js';
import { migrate } from '../postgres/migrate.js';
import type { Secret } from '../secret.js';
import type { Closing } from './closing.js';
import { slices, type Slice } from './slices.js';

export type DatabaseUrls = Pick<MigrateConfig, 'databaseUrl' | 'migrationDatabaseUrl'>;

/** Connects as the role of the program, after the schema was migrated. The caller must destroy the connection. */
export async function openDatabase(
  urls: DatabaseUrls,
  applicationName: string,
  log: Log,
  known: readonly Slice[] = slices,
): Promise<DataSource> {
  const settings = { applicationName, poolSize: 10, slices: known };
  const dataSource = await connect('DATABASE_URL', urls.databaseUrl, settings);
  try {
    await bringUpToDate(dataSource, urls, applicationName, log);
    return dataSource;
  } catch (error) {
    await dataSource.destroy();
    throw error;
  }
}

/**
 * Connections that only the sign-in uses. So no request waits for its sign-in behind statements of others. The schema must
 * be migrated.
 */
export async function openSignInConnections(
  databaseUrl: Secret,
  applicationName: string,
  closing: Closing,
): Promise<DataSource> {
  const dataSource = await connect('DATABASE_URL', databaseUrl, { applicationName, poolSize: 3 });
  closing.add('connections of the sign-in', () => dataSource.destroy());
  return dataSource;
}

async function bringUpToDate(app: DataSource, urls: DatabaseUrls, applicationName: string, log: Log): Promise<void> {
  const settings = { applicationName: `${applicationName} migration`, poolSize: 2 };
  const owner = await connect('MIGRATION_DATABASE_URL', urls.migrationDatabaseUrl, settings);
  try {
    const [{ role }] = await app.query<[{ role: string }]>('SELECT current_user AS role');
    const { ran } = await migrate(owner, role);
    if (ran.length > 0) log.info({ migrations: ran }, 'The schema was migrated.');
  } finally {
    await owner.destroy();
  }
}

async function connect(variable: string, url: Secret, settings: Omit<ConnectionSettings, 'url'>): Promise<DataSource> {
  try {
    return await createDataSource({ url: url.reveal(), ...settings }).initialize();
  } catch (error) {
    const reason = error instanceof AggregateError ? String(error.errors[0]) : String(error);
    throw new StowageError('UNAVAILABLE', `PostgreSQL at ${variable} cannot be used: ${reason}`, {
      help: `Check that the server runs, and that host, user, password and database in ${variable} are right.`,
      cause: error,
    });
  }
}
