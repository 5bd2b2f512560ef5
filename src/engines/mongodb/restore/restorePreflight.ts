import { StowageError } from '../../../errors.js';
import type { Inventory } from '../../inventory.js';
import type { RestorePreflight, RestoreRequirements } from '../../runningRestore.js';
import { warnOfAccounts } from '../accounts/warnOfAccounts.js';
import { readCollections } from '../catalog/catalog.js';
import { expiringNeed } from '../catalog/inventory.js';
import { listed } from '../checks/losses.js';
import { hasOplog } from '../checks/preflight.js';
import { refuseMissingRestorePrivileges } from '../privileges/privileges.js';
import { listIn } from '../session/reply.js';
import { serverErrorNumber, type Session } from '../session/session.js';

/** Refuses a restore that would overwrite something or could not finish, before anything is sent. */
export async function checkRestore(session: Session, source: RestoreRequirements): Promise<RestorePreflight> {
  const { inventory } = source;
  const names = inventory.databases.map(({ name }) => name);
  await refuseExistingDatabases(session, names);
  refuseMissingOffers(session, inventory);
  const withOplog = source.parts?.some(hasOplog) ?? false;
  await refuseMissingRestorePrivileges(session, names, { withOplog });
  const expiring = inventory.databases.flatMap(({ name, needs = {} }) =>
    (needs[expiringNeed] ?? []).map((collection) => `${name}.${collection}`),
  );
  return {
    warnings: [
      ...(await warnOfAccounts(session, inventory)),
      ...releaseWarning(session, inventory),
      ...(expiring.length === 0
        ? []
        : [
            `The target deletes documents of these collections as soon as they are older than allowed: ${listed(expiring)}.`,
          ]),
    ],
    changesByItself: expiring.length > 0,
  };
}

/** A database exists as soon as it has a collection. Names that differ only in letter case cannot exist together. */
async function refuseExistingDatabases(session: Session, names: readonly string[]): Promise<void> {
  const present = await listPresent(session, names);
  const existing = names.filter((name) => present.has(lowerCase(name)));
  if (existing.length === 0) return;
  const list = existing.map((name) => `'${name}'`).join(', ');
  throw new StowageError('TARGET_EXISTS', `The target already has the database ${list}.`, { details: { existing } });
}

async function listPresent(session: Session, names: readonly string[]): Promise<ReadonlySet<string>> {
  const wanted = new Set(names.map(lowerCase));
  // A user without listDatabases sees only the databases on which it has a right.
  const candidates = new Set(names);
  try {
    const reply = await session.command('admin', { listDatabases: 1, nameOnly: true });
    for (const { name } of listIn(reply, 'databases'))
      if (wanted.has(lowerCase(String(name)))) candidates.add(String(name));
  } catch (error) {
    if (serverErrorNumber(error) !== 13) throw error;
  }
  const present = new Set<string>();
  for (const name of candidates) {
    if ((await readCollections(session, name)).length > 0) present.add(lowerCase(name));
  }
  return present;
}

function lowerCase(name: string): string {
  return name.toLowerCase();
}

/** The release in which a server got a kind of collection (https://www.mongodb.com/docs/manual/release-notes/). */
const introduced: readonly (readonly [
  what: string,
  release: readonly [number, number],
  test: (text: Found) => boolean,
])[] = [
  ['time series', [5, 0], ({ type }) => type === 'timeseries'],
  ['clustered collections', [5, 3], ({ parts }) => 'option clusteredIndex' in parts],
  ['collections with encrypted fields', [6, 0], ({ parts }) => 'option encryptedFields' in parts],
  ['pre- and post-images', [6, 0], ({ parts }) => 'option changeStreamPreAndPostImages' in parts],
  [
    'compound wildcard indexes',
    [7, 0],
    ({ parts }) => Object.values(parts).some((text) => /key: \{[^}]*,[^}]*\$\*\*|key: \{[^}]*\$\*\*[^}]*,/.test(text)),
  ],
];

type Found = { readonly type: string | undefined; readonly parts: Readonly<Record<string, string>> };

function refuseMissingOffers({ server }: Session, inventory: Inventory): void {
  const [major = 0, minor = 0] = server.release.split('.').map(Number);
  const isOlder = ([needsMajor, needsMinor]: readonly [number, number]) =>
    major < needsMajor || (major === needsMajor && minor < needsMinor);
  for (const [what, release, test] of introduced) {
    if (!isOlder(release)) continue;
    const needing = inventory.databases.flatMap(({ name, tables }) =>
      tables
        .filter(({ type, definition }) => test({ type, parts: definition?.parts ?? {} }))
        .map((table) => `${name}.${table.name}`),
    );
    if (needing.length === 0) continue;
    throw new StowageError(
      'TARGET_UNFIT',
      `The target is MongoDB ${server.version}, which has no ${what}. These collections need them: ${listed(needing)}.`,
      { help: `Restore into MongoDB ${release.join('.')} or newer.`, details: { needing: needing.slice(0, 20) } },
    );
  }
}

function releaseWarning({ server }: Session, { serverVersion }: Inventory): readonly string[] {
  const source = /^\d+\.\d+/.exec(serverVersion)?.[0];
  if (source === undefined || source === server.release) return [];
  return [
    `The backup is of MongoDB ${serverVersion}, and the target is ${server.version}. MongoDB supports a restore only into the same release.`,
  ];
}
