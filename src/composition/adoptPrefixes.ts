import type { AdoptPrefixesConfig } from '../config.js';
import type { Log } from '../log.js';
import { createPrefixMarks } from '../postgres/prefixMarks.js';
import { Closing } from './closing.js';
import { openDatabase } from './database.js';
import { openOwnOrGivenDatabase } from './up.js';

/** `stowage adopt-prefixes`: declares that this database, and no copy of it, is the installation. */
export async function adoptPrefixes(config: AdoptPrefixesConfig, log: Log): Promise<void> {
  const closing = new Closing(log);
  try {
    const { urls } = await openOwnOrGivenDatabase(config, log, closing);
    const dataSource = await openDatabase(urls, 'stowage adopt-prefixes', log);
    closing.add('PostgreSQL', () => dataSource.destroy());
    await createPrefixMarks(dataSource).adopt();
    log.info(
      'This database is the installation from now on. Its workers renew the marker of every prefix within minutes. After that no other copy of the database deletes anything.',
    );
  } finally {
    await closing.close();
  }
}
