import { StowageError } from '../../../errors.js';
import type { Inventory, InventoryDatabase } from '../../inventory.js';
import { sqlStateOf } from '../errors/serverErrors.js';
import type { Session } from '../session/session.js';

/** Refuses a target that lacks a locale, or the provider of one. Throws TARGET_UNFIT before anything is sent. */
export async function refuseMissingLocales(session: Session, { databases, serverVersion }: Inventory): Promise<void> {
  for (const { name, properties } of databases) {
    const versions = `The database '${name}' of PostgreSQL ${serverVersion}`;
    const target = `the target PostgreSQL ${session.version.text}`;
    if (properties['localeProvider'] === 'i' && !(await hasIcu(session))) {
      throw new StowageError(
        'TARGET_UNFIT',
        `${versions} uses the ICU locale '${properties['locale'] ?? ''}', and ${target} was built without ICU.`,
        { help: 'Restore into a server that was built with ICU, for example one of apt.postgresql.org.' },
      );
    }
    for (const locale of new Set([properties['collate'], properties['characterType']])) {
      if (locale === undefined || (await hasLocale(session, locale))) continue;
      throw new StowageError(
        'TARGET_UNFIT',
        `${versions} uses the locale '${locale}', which ${target} does not have.`,
        {
          help: 'Install the locale on the machine of the target (locale-gen) and restart its server, or restore into another server.',
        },
      );
    }
  }
}

/** A new database gets the collations of ICU if the server was built with it, and `unicode` since version 16 in any case. */
async function hasIcu(session: Session): Promise<boolean> {
  if (session.version.major < 15) return false;
  const [row] = await session.query(
    "SELECT EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i' AND collname <> 'unicode') AS icu",
  );
  return row?.['icu'] === 't';
}

/** The server accepts only a locale of its machine for `lc_time`, which every account may set. */
async function hasLocale(session: Session, locale: string): Promise<boolean> {
  try {
    await session.query("SELECT set_config('lc_time', $1, false)", [locale]);
    return true;
  } catch (error) {
    if (sqlStateOf(error) === '22023') return false;
    throw error;
  }
}

/** The order of text may be another one with another version of the library that sorts. */
export async function collationsWarning(session: Session, { databases }: Inventory): Promise<readonly string[]> {
  const warnings: string[] = [];
  for (const database of databases) {
    const [before, now] = [database.properties['collationVersion'], await versionOf(session, database)];
    if (before === undefined || now === undefined || before === now || before.startsWith(`${now}.`)) continue;
    warnings.push(
      `The database '${database.name}' has version ${before} of its collation, and the target has version ${now}. Text may be in another order, and partitions or checks by that order may refuse rows.`,
    );
  }
  return warnings;
}

/**
 * Undefined: the version is not known before the database exists. A locale of ICU with rules of its own adds a number to the
 * version of `und`.
 */
async function versionOf(session: Session, { properties }: InventoryDatabase): Promise<string | undefined> {
  const isIcu = properties['localeProvider'] === 'i';
  const [row] = await session.query(
    `SELECT pg_collation_actual_version(o.oid) AS version FROM pg_collation o
      CROSS JOIN LATERAL (SELECT coalesce(to_jsonb(o)->>'colllocale', to_jsonb(o)->>'colliculocale', o.collcollate) AS name) AS locale
      WHERE o.collprovider = $1 AND locale.name = ANY ($2::text[]) ORDER BY locale.name = $3 DESC LIMIT 1`,
    isIcu
      ? ['i', [properties['locale'] ?? '', 'und'], properties['locale'] ?? '']
      : ['c', [properties['collate'] ?? ''], properties['collate'] ?? ''],
  );
  return row?.['version'] ?? undefined;
}
