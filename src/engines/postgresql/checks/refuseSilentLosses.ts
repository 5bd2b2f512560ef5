import { StowageError } from '../../../errors.js';
import type { Session } from '../session/session.js';

/**
 * The developer options with which the server reads a damaged page as if it were empty or whole (manual, "Developer
 * Options"). Only a superuser may set them, so a dump cannot switch them off.
 */
const hidesDamage = ['zero_damaged_pages', 'ignore_checksum_failure'];

/**
 * Throws SERVICE_SETTING if the server hides damaged pages from the dump of this database. The dump would lose rows, or
 * contain wrong ones, without an error. The option may be set for the server, the database or the account.
 */
export async function refuseSilentLosses(session: Session): Promise<void> {
  const rows = await session.query(
    `SELECT name FROM pg_catalog.pg_settings WHERE setting = 'on' AND name IN (${hidesDamage.map((name) => `'${name}'`).join(', ')})`,
  );
  const [name] = rows.map((row) => row['name'] ?? '');
  if (name === undefined) return;
  throw new StowageError(
    'SERVICE_SETTING',
    `${name} is on for the database '${session.database}': a dump would lose or change the rows of damaged pages without an error.`,
    {
      help: `Switch ${name} off for the server, the database and the account (SHOW ${name}), then start the backup again.`,
    },
  );
}
