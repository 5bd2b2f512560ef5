import { StowageError } from '../../../errors.js';
import type { RestorePreflight, RestoreRequirements } from '../../runningRestore.js';
import type { Inventory } from '../../inventory.js';
import { extensionVersion } from '../catalog/definitionQueries.js';
import { listDatabases } from '../catalog/databases.js';
import { extensionNeed, tablespaceNeed } from '../catalog/inventory.js';
import type { Session } from '../session/session.js';
import { superuserNeed } from '../catalog/superuserNeeds.js';
import { refuseSuperuserObjects } from './superuserObjects.js';
import { membersWarning, missingMembers, missingRoles, refuseUncreatableRoles, rolesWarning } from './roles.js';

/** Refuses a target that cannot hold the backup. Throws TARGET_EXISTS, TARGET_UNFIT or SERVICE_PRIVILEGE. */
export async function checkRestore(session: Session, { inventory }: RestoreRequirements): Promise<RestorePreflight> {
  const names = inventory.databases.map(({ name }) => name);
  await refuseReadOnly(session);
  const [existing] = await listDatabases(session, names);
  if (existing !== undefined) {
    throw new StowageError('TARGET_EXISTS', `The database '${existing.name}' exists on the target.`);
  }
  refuseOlderServer(session, inventory.serverVersion);
  await refuseWithoutCreate(session);
  await refuseMissingExtensions(session, needsOf(inventory, extensionNeed));
  await refuseSuperuserObjects(session, needsOf(inventory, superuserNeed), needsOf(inventory, extensionNeed));
  await refuseMissingTablespaces(session, needsOf(inventory, tablespaceNeed));
  const missing = await missingRoles(session, inventory);
  await refuseUncreatableRoles(session, missing);
  const warnings = [
    ...rolesWarning(missing),
    ...membersWarning(await missingMembers(session, inventory)),
    ...(await versionsWarning(session, inventory)),
  ];
  return { warnings, changesByItself: false };
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

function needsOf({ databases }: RestoreRequirements['inventory'], kind: string): readonly string[] {
  const needs = databases.flatMap(({ needs: all = {}, properties }) => [
    ...Object.keys(all),
    ...(properties['tablespace'] === undefined ? [] : [`${tablespaceNeed}${properties['tablespace']}`]),
  ]);
  return [...new Set(needs.filter((need) => need.startsWith(kind)).map((need) => need.slice(kind.length)))];
}
