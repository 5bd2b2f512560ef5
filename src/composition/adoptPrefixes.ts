import type { AdoptPrefixesConfig } from '../config.js';
import type { Log } from '../log.js';
import { createPrefixMarks } from '../postgres/prefixMarks.js';
import { Closing } from './closing.js';
import { openDatabase } from './database.js';
import { openOwnOrGivenDatabase } from './up.js';

/** `stowage adopt-prefixes`: the installation lives in this database from now on, and in no copy of it. */
export async function adoptPrefixes(config: AdoptPrefixesConfig, log: Log): Promise<void> {
  const closing = new Closing(log);
  try {
    const { urls } = await openOwnOrGivenDatabase(config, log, closing);
    const dataSource = await openDatabase(urls, 'stowage adopt-prefixes', log);
    closing.add('PostgreSQL', () => dataSource.destroy());
    await createPrefixMarks(dataSource).adopt();
    log.info(
      'The installation lives in this database from now on. Its workers renew the marker of every prefix within minutes; any other copy of the database deletes nothing then.',
    );
  } finally {
    await closing.close();
  }
}
