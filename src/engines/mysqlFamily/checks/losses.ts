import { StowageError } from '../../../errors.js';
import { transactionPreciseTables, type Catalog, type Named } from '../catalog/catalog.js';
import { isDefinitionOnly, isOutsideSnapshot, mayBeLeftOut } from '../catalog/storageEngines.js';
import { listed } from './listed.js';
import { quoteName } from '../privileges/grants.js';
import { isError } from '../../../isError.js';
import { codeOfServerError } from '../errors/serverErrors.js';
import { serverErrorNumber, type Session } from '../session/session.js';

/**
 * Opens each view that the server could not open for the list, because such a view makes mariadb-dump fail in the
 * middle. Throws TOOL_FAILED naming every view that cannot be opened.
 */
export async function refuseBrokenViews(session: Session, catalog: Catalog): Promise<void> {
  const broken: { readonly view: string; readonly why: string }[] = [];
  for (const view of catalog.views.filter(({ opens }) => !opens)) {
    try {
      await session.query(`SHOW FIELDS FROM ${quoteName(view.database)}.${quoteName(view.name)}`);
    } catch (error) {
      const number = serverErrorNumber(error);
      if (number === undefined || codeOfServerError(number) === 'SERVICE_UNREACHABLE' || !isError(error)) throw error;
      broken.push({ view: `${view.database}.${view.name}`, why: error.message });
    }
  }
  const [first] = broken;
  if (first === undefined) return;
  const all = broken.map(({ view }) => view).join(', ');
  throw new StowageError('TOOL_FAILED', `These views cannot be opened, and would end the dump: ${all}. ${first.why}`, {
    help: 'Repair the views or drop them, then start the backup again.',
    details: { broken },
  });
}

/**
 * The losses of a dump of this catalog that the tool does not report. One sentence for each kind of loss, which names
 * the objects.
 */
export async function findLosses(
  session: Session,
  catalog: Catalog,
  others: readonly string[],
): Promise<readonly string[]> {
  const chosen = new Set(catalog.databases.map(({ name }) => name));
  return [
    ...listed(
      catalog.tables.filter(({ engine }) => engine !== null && isOutsideSnapshot(engine)).map(qualified),
      'These tables may have changed during the dump, because a snapshot does not cover their storage engine',
    ),
    ...listed(
      catalog.tables.filter(({ engine }) => isDefinitionOnly(engine) || mayBeLeftOut(engine)).map(qualified),
      'Only the definition of tables whose rows are stored elsewhere is dumped',
    ),
    ...lostHistory(catalog),
    ...listed(
      catalog.foreignKeys
        .filter(({ referencedDatabase }) => !chosen.has(referencedDatabase))
        .map((key) => `${key.database}.${key.table}`),
      'Foreign keys of these tables refer to databases that are not part of this backup. After a restore into another server, the tables accept no new rows until those databases exist',
    ),
    ...listed(
      catalog.views
        .filter((view) => others.some((other) => view.definition.includes(`${quoteName(other)}.`)))
        .map(qualified),
      'These views read databases that are not part of this backup, so a restore into another server fails',
    ),
    ...listed(await missingDefiners(session, definersOf(catalog)), 'Definers that do not exist on this server'),
  ];
}

/**
 * One option of the tool applies to all tables. It cannot be used if a single table has transaction-precise history.
 */
function lostHistory(catalog: Catalog): readonly string[] {
  const precise = new Set(transactionPreciseTables(catalog).map(qualified));
  if (precise.size === 0) return [];
  const others = catalog.tables.filter(({ systemVersioned }) => systemVersioned).map(qualified);
  return [
    ...listed(
      [...precise],
      'Versioned tables are dumped without their history, because the tool cannot dump the history of these transaction-precise tables',
    ),
    ...listed(
      others.filter((name) => !precise.has(name)),
      'For the same reason the history of these tables is not dumped (to keep it, back them up in a service of their own)',
    ),
  ];
}

/**
 * The definers among these (`user@host` or a role) that the server does not know, each by its `definerName`. Empty if
 * we may not read the list of users.
 */
export async function missingDefiners(session: Session, definers: readonly string[]): Promise<readonly string[]> {
  const known = await knownAccounts(session);
  if (known === undefined) return [];
  return [...new Set(definers.map(definerName))].filter((definer) => !known.has(definer));
}

/** A server writes a role as the definer of a view with `@` at its end, and as the definer of a program without it. */
export function definerName(definer: string): string {
  return definer.replace(/@$/, '');
}

async function knownAccounts(session: Session): Promise<ReadonlySet<string> | undefined> {
  try {
    const rows = await session.query("SELECT IF(host = '', user, CONCAT(user, '@', host)) AS account FROM mysql.user");
    return new Set(rows.map((row) => row['account'] ?? ''));
  } catch (error) {
    // 1142: no SELECT privilege on mysql.user, which a backup does not need.
    if (serverErrorNumber(error) === 1142) return undefined;
    throw error;
  }
}

function definersOf(catalog: Catalog): readonly string[] {
  const all = [...catalog.views, ...catalog.routines, ...catalog.triggers, ...catalog.events];
  return [...new Set(all.map(({ definer }) => definer))].filter((definer) => definer !== '').sort();
}

function qualified(one: Named): string {
  return `${one.database}.${one.name}`;
}
