import { StowageError } from '../../../errors.js';
import type { RestorePreflight, RestoreRequirements } from '../../runningRestore.js';
import type { Inventory } from '../../inventory.js';
import { extensionVersion } from '../catalog/definitionQueries.js';
import { extensionNeed, tablespaceNeed } from '../catalog/inventory.js';
import { superuserNeed } from '../catalog/superuserNeeds.js';
import { creatorNeed, labelNeed, locksNeed } from '../catalog/targetNeeds.js';
import type { Session } from '../session/session.js';
import { refuseClosedSchemas } from './closedSchemas.js';
import { collationsWarning, refuseMissingLocales } from './locales.js';
import { needsOf } from './needsOf.js';
import { refuseMissingLibraries } from './preloadedLibraries.js';
import { refuseUnsettableSettings } from './refuseUnsettableSettings.js';
import { settingsWarning } from './unknownSettings.js';
import { refuseSuperuserObjects } from './superuserObjects.js';
import { labelsWarning, locksWarning } from './targetServer.js';
import { membersWarning, missingMembers, missingRoles, refuseUncreatableRoles, rolesWarning } from './roles.js';

/** Refuses a target that cannot hold the backup. Throws TARGET_EXISTS, TARGET_UNFIT or SERVICE_PRIVILEGE. */
export async function checkRestore(session: Session, { inventory }: RestoreRequirements): Promise<RestorePreflight> {
  const names = inventory.databases.map(({ name }) => name);
  await refuseReadOnly(session);
  await refuseExisting(session, names);
  refuseOlderServer(session, inventory.serverVersion);
  await refuseMissingLocales(session, inventory);
  await refuseWithoutCreate(session);
  await refuseMissingExtensions(session, needsOf(inventory, extensionNeed));
  await refuseSuperuserObjects(session, needsOf(inventory, superuserNeed), needsOf(inventory, extensionNeed));
  await refuseMissingTablespaces(session, needsOf(inventory, tablespaceNeed));
  const missing = await missingRoles(session, inventory);
  await refuseUncreatableRoles(session, missing);
  await refuseClosedSchemas(session, needsOf(inventory, creatorNeed));
  await refuseUnsettableSettings(session, inventory);
  await refuseMissingLibraries(session, inventory);
  const warnings = [
    ...rolesWarning(missing),
    ...membersWarning(await missingMembers(session, inventory)),
    ...(await versionsWarning(session, inventory)),
    ...(await collationsWarning(session, inventory)),
    ...(await locksWarning(session, needsOf(inventory, locksNeed))),
    ...(await labelsWarning(session, needsOf(inventory, labelNeed))),
    ...(await settingsWarning(session, inventory)),
    ...viewsWarning(inventory),
  ];
  return { warnings, changesByItself: false };
}

/** Also a database that accepts no connections, and the rest of an interrupted DROP DATABASE. */
async function refuseExisting(session: Session, names: readonly string[]): Promise<void> {
  const [row] = await session.query(
    'SELECT datname AS name FROM pg_database WHERE datname = ANY ($1::text[]) ORDER BY 1 LIMIT 1',
    [names],
  );
  if (row === undefined) return;
  throw new StowageError('TARGET_EXISTS', `The database '${row['name'] ?? ''}' exists on the target.`);
}

async function refuseReadOnly(session: Session): Promise<void> {
  const [row] = await session.query('SELECT pg_is_in_recovery() AS standby');
  if (row?.['standby'] !== 't') return;
  throw new StowageError('TARGET_UNFIT', 'The target is a standby, which accepts no changes.', {
    help: 'Restore into its primary.',
  });
}

/** Definitions of a newer server need not exist in an older one, for example its settings (transaction_timeout). */
function refuseOlderServer(session: Session, source: string): void {
  const major = Number(/^\d+/.exec(source)?.[0] ?? 0);
  if (major <= session.version.major) return;
  throw new StowageError(
    'TARGET_UNFIT',
    `The backup is of PostgreSQL ${source}, and the target is the older PostgreSQL ${session.version.text}.`,
    { help: `Restore into PostgreSQL ${major} or later.`, details: { source, target: session.version.text } },
  );
}

async function refuseWithoutCreate(session: Session): Promise<void> {
  const [row] = await session.query(
    'SELECT rolsuper OR rolcreatedb AS may, quote_ident(rolname) AS me FROM pg_roles WHERE rolname = current_user',
  );
  if (row?.['may'] === 't') return;
  throw new StowageError('SERVICE_PRIVILEGE', 'The account of the target may not create databases.', {
    help: `Run on the target: ALTER ROLE ${row?.['me'] ?? ''} CREATEDB;`,
  });
}

async function refuseMissingExtensions(session: Session, extensions: readonly string[]): Promise<void> {
  const rows = await session.query(
    'SELECT needed FROM unnest($1::text[]) AS needed WHERE NOT EXISTS (SELECT FROM pg_available_extensions WHERE name = needed)',
    [extensions],
  );
  if (rows.length === 0) return;
  const names = rows.map((row) => row['needed'] ?? '');
  throw new StowageError('TARGET_UNFIT', `The target does not have the extension ${names.join(', ')}.`, {
    help: 'Install the packages of the extensions on the machine of the target (on Debian: postgresql-contrib, postgresql-<version>-<extension>).',
    details: { extensions: names },
  });
}

/** An archive holds only the names of extensions, so the target installs its own versions. */
async function versionsWarning(session: Session, { databases }: Inventory): Promise<readonly string[]> {
  const rows = await session.query('SELECT name, default_version AS version FROM pg_available_extensions');
  const offered = new Map(rows.map((row) => [row['name'] ?? '', row['version'] ?? '']));
  const others = databases.flatMap(({ definitions = {} }) =>
    Object.entries(definitions['extensions'] ?? {}).flatMap(([name, { parts = {} }]) => {
      const [version, own] = [parts[extensionVersion], offered.get(name)];
      return version === undefined || own === version ? [] : [`${name} ${own} instead of ${version}`];
    }),
  );
  if (others.length === 0) return [];
  return [`The target installs other versions of extensions than the source has: ${[...new Set(others)].join(', ')}.`];
}

/** A dump has no rows of materialized views. Those without rows stay empty. */
function viewsWarning({ databases }: Inventory): readonly string[] {
  const names = databases.flatMap(({ objects, definitions = {} }) =>
    (objects['materializedViews'] ?? []).filter(
      (name) => !/ empty$/.test(definitions['materializedViews']?.[name]?.parts?.['options'] ?? ''),
    ),
  );
  if (names.length === 0) return [];
  const more = names.length > 20 ? ` and ${names.length - 20} more` : '';
  return [
    `The restore fills these materialized views from their queries. So it fails if a query fails now, and the views do not show the rows that they had at the source if those were older: ${names.slice(0, 20).join(', ')}${more}.`,
  ];
}

async function refuseMissingTablespaces(session: Session, tablespaces: readonly string[]): Promise<void> {
  const rows = await session.query(
    'SELECT needed FROM unnest($1::text[]) AS needed WHERE NOT EXISTS (SELECT FROM pg_tablespace WHERE spcname = needed)',
    [tablespaces],
  );
  if (rows.length === 0) return;
  const names = rows.map((row) => row['needed'] ?? '');
  throw new StowageError('TARGET_UNFIT', `The target does not have the tablespace ${names.join(', ')}.`, {
    help: 'Create it on the target: CREATE TABLESPACE … LOCATION ….',
    details: { tablespaces: names },
  });
}
