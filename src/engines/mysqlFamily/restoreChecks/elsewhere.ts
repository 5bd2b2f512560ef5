import type { Inventory } from '../../inventory.js';
import { definerName, missingDefiners } from '../checks/losses.js';
import { parseGrants, quoteName } from '../privileges/grants.js';
import { serverErrorNumber, type Session } from '../session/session.js';
import type { Target } from './target.js';
import { named, unfit } from './unfit.js';

/**
 * Refuses a backup that refers to accounts, databases or sequences that exist neither in the backup nor on the target.
 */
export async function refuseMissingReferences(session: Session, target: Target, inventory: Inventory): Promise<void> {
  const needs = inventory.databases.flatMap((database) => Object.entries(database.needs ?? {}));
  const wanted = (kind: string) =>
    needs.flatMap(([need, objects]) => (need.startsWith(kind) ? [{ name: need.slice(kind.length), objects }] : []));

  await refuseDefinersWithoutRights(session, target, inventory);
  const databases = wanted('database ');
  const present = new Set((await session.query('SHOW DATABASES')).map((row) => Object.values(row)[0] ?? ''));
  const absent = databases.filter(({ name }) => !present.has(name));
  if (absent.length > 0) {
    const views = absent.flatMap(({ objects }) => objects);
    throw unfit(
      `These views read databases that are neither in the backup nor on the target (error 1146): ${named(views)}. Missing: ${named(absent.map(({ name }) => name))}.`,
      'Restore a backup of those databases into the target first, or back up all of them together.',
      views,
    );
  }
  for (const { name, objects } of wanted('sequence ')) {
    const at = name.indexOf('.');
    const found = await session.query(
      'SELECT 1 FROM information_schema.tables WHERE table_schema = ? AND table_name = ?',
      [name.slice(0, at), name.slice(at + 1)],
    );
    if (found.length > 0) continue;
    throw unfit(
      `Defaults of columns use the sequence '${name}', which is neither in the backup nor on the target (error 1146): ${named(objects)}.`,
      'Create that database and sequence on the target first, or back up all of them together.',
      objects,
    );
  }
}

/**
 * A view that reads another view can be created only if the definer of the other view exists (1449) and may read its
 * tables (1356). The accounts are known only if we may read them. Otherwise the restore itself fails.
 */
async function refuseDefinersWithoutRights(session: Session, target: Target, inventory: Inventory): Promise<void> {
  const views = new Map<string, { readonly database: string; readonly objects: readonly string[] }[]>();
  for (const { name: database, needs = {} } of inventory.databases) {
    for (const [need, objects] of Object.entries(needs)) {
      if (!need.startsWith('definer ')) continue;
      const definer = definerName(need.slice('definer '.length));
      views.set(definer, [...(views.get(definer) ?? []), { database, objects }]);
    }
  }
  const missing = await missingDefiners(session, [...views.keys()]);
  const grantTo = (definer: string) =>
    (views.get(definer) ?? []).map(
      ({ database }) => `GRANT SELECT, EXECUTE ON ${quoteName(database)}.* TO ${account(definer)};`,
    );
  const viewsOf = (definers: readonly string[]) =>
    definers.flatMap((definer) => (views.get(definer) ?? []).flatMap(({ objects }) => objects));
  if (missing.length > 0) {
    const statements = missing.flatMap((definer) => [creation(definer, target), ...grantTo(definer)]);
    throw unfit(
      `These views of the backup cannot be created on the target, because they read views whose definer does not exist there (error 1449): ${named(viewsOf(missing))}. Missing: ${named(missing)}.`,
      `Run on the target: ${statements.join(' ')}`,
      viewsOf(missing),
    );
  }
  for (const [definer, all] of views) {
    const lines = await grantsOf(session, definer);
    if (lines === undefined) continue;
    const grants = parseGrants(lines);
    const reads = (database: string) =>
      grants.holds('SELECT', database) || lines.some((line) => line.includes(` ON ${quoteName(database)}.`));
    if (all.every(({ database }) => reads(database))) continue;
    throw unfit(
      `These views of the backup cannot be created on the target, because they read views whose definer '${definer}' may not read their database there (error 1356): ${named(viewsOf([definer]))}.`,
      `Run on the target: ${grantTo(definer).join(' ')}`,
      viewsOf([definer]),
    );
  }
}

async function grantsOf(session: Session, definer: string): Promise<readonly string[] | undefined> {
  try {
    const rows = await session.query(`SHOW GRANTS FOR ${account(definer)}`);
    return rows.map((row) => Object.values(row)[0] ?? '');
  } catch (error) {
    if (serverErrorNumber(error) === undefined) throw error;
    // The database exists with another spelling, or we may not read it.
    return undefined;
  }
}

/** Quotes an account for SQL. A name without a host is a role. */
function account(definer: string): string {
  const at = definer.lastIndexOf('@');
  const [user, host] = at < 0 ? [definer, ''] : [definer.slice(0, at), definer.slice(at + 1)];
  return [user, host]
    .filter((part) => part !== '')
    .map((part) => `'${part.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`)
    .join('@');
}

/**
 * Creates a locked account if the server supports it, because nobody should log in with an account that exists only for
 * views.
 */
function creation(definer: string, { release }: Target): string {
  if (!account(definer).includes("'@'")) return `CREATE ROLE ${account(definer)};`;
  const secured = release >= 1004 ? 'ACCOUNT LOCK' : "IDENTIFIED BY '…'";
  return `CREATE USER ${account(definer)} ${secured};`;
}
