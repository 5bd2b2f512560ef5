import type { MigrateConfig } from '../config.js';
import type { Log } from '../log.js';
import { openDatabase } from './database.js';

/** `stowage migrate`: migrates the schema and ends. */
export async function migrate(config: MigrateConfig, log: Log): Promise<void> {
  const dataSource = await openDatabase(config, 'stowage migrate', log);
  await dataSource.destroy();
  log.info('The schema is up to date.');
}
