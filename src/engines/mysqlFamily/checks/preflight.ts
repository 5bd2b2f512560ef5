import { usersPart } from '../../accounts/usersPart.js';
import type { EngineContext, InventoryContext } from '../../engineContext.js';
import type { Inventory } from '../../inventory.js';
import type { PreflightReport } from '../../preflightReport.js';
import type { PrepareDumpContext } from '../../runningDump.js';
import type { Conversations } from '../../conversation/conversations.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { readCatalog, readNames, type Names } from '../catalog/catalog.js';
import { countAll } from '../counting/countAll.js';
import { countedTables } from '../counting/countRows.js';
import { readDefinitions, type Definitions } from '../definitions/readDefinitions.js';
import { warnOfDirectories, warnOfSequencesElsewhere } from '../definitions/needs.js';
import { refuseUnrestorable } from '../definitions/refuseUnrestorable.js';
import { withDefinitions } from '../definitions/withDefinitions.js';
import { findComputedAnew } from './computedAnew.js';
import { warnOfIgnoredOptions } from './ignoredOptions.js';
import { findForeignFolders, warnOfForeignFolders } from '../catalog/foreignFolders.js';
import { listInventory, type Counts } from '../catalog/inventory.js';
import { findLosses, refuseBrokenViews } from './losses.js';
import { findLostValues } from './lostValues.js';
import type { Dialect } from '../dialect.js';
import { programVersion, versionNumber } from '../../process/programVersion.js';
import { warnOfHiddenSessions } from '../privileges/optionalPrivileges.js';
import { readGrants, refuseMissingDumpPrivileges } from '../privileges/privileges.js';
import { includedAccounts, withAccounts } from '../privileges/includedAccounts.js';
import { dropDefaults } from '../dump/droppedDefaults.js';
import { readProgramTexts, type ProgramText } from '../dump/programTexts.js';
import { rowModes } from '../dump/rowModes.js';
import { readWideCharacters, type TableStatement } from '../dump/wideCharacters.js';
import { listDatabases, selectDatabases } from '../catalog/selection.js';
import { recordedSettings } from '../session/serverSettings.js';
import { refuseSettingsThatSpoilDumps, warnOfImpatientServer } from './settingsPreflight.js';
import { withPatientSession } from '../locks/ownLockWaits.js';
import { serverErrorNumber, shortText, type Session, type SessionOptions } from '../session/session.js';
import type { AllowAddress, ServerAddress } from '../../network/serverAddress.js';
import type { Tools } from '../../process/tools.js';

export type FamilySettings = {
  readonly allowAddress: AllowAddress;
  readonly tools: Tools;
  readonly conversations: Conversations;
  readonly dialect: Dialect;
};

/**
 * All databases of a service become one part, dumped from one snapshot. Over a binary connection neither server nor
 * tool converts text: every byte of every character set is written as it is stored.
 */
export const databasesPart = { name: 'databases', extension: 'sql', characterSet: 'binary' };

export type FamilyPreflight = {
  readonly report: PreflightReport;
  /** The address that answered. The dump connects only to it. */
  readonly server: ServerAddress;
  readonly texts: readonly ProgramText[];
  /** Statements that follow the databases. */
  readonly lastStatements: readonly string[];
  /** See `rowModes`. */
  readonly rowModes: readonly string[];
  /** See `WideCharacters`. */
  readonly tableStatements: readonly TableStatement[];
  /** The dump tool for this server. */
  readonly program: string;
  /** The content of the part `users`. It may contain hashes of passwords. Undefined: there is no such part. */
  readonly users: string | undefined;
};

/** Finds everything that would end the dump or make it smaller than the source, before the dump starts. */
export async function preflightServer(
  connection: ServiceConnection,
  settings: FamilySettings,
  context: EngineContext & Pick<PrepareDumpContext, 'includeUsers'>,
): Promise<FamilyPreflight> {
  const { dialect } = settings;
  await dialect.findTools(settings.tools, undefined, context.signal);
  return withPatientSession(connection, { ...settings, ...context }, async (session) => {
    const { dump } = await dialect.findTools(settings.tools, serverVersion(session), context.signal);
    const toolVersion = await programVersion(dump, settings.tools, context.signal);
    const listed = await listDatabases(session);
    const chosen = selectDatabases(listed, connection.databases);
    await refuseSettingsThatSpoilDumps(session, chosen, toolVersion);
    const catalog = await readCatalog(session, chosen);
    dialect.refuseUnfitTool(toolVersion, catalog);
    const grants = await readGrants(session);
    await refuseMissingDumpPrivileges(session, catalog, grants);
    await refuseBrokenViews(session, catalog);
    const isChosen = new Set(chosen);
    const others = listed.filter((database) => !isChosen.has(database)).map(({ name }) => name);
    const blind = connection.databases === null && !grants.holdsGlobally('SHOW DATABASES');
    const { inventory, definitions } = await describe(
      session,
      connection,
      { ...settings, ...context },
      catalog,
      toolVersion,
      { others },
    );
    const { escapesDatabases, product } = dialect;
    const circumstances = { nameCase: inventory.nameCase, escapesDatabases, product };
    await refuseUnrestorable({ catalog, definitions }, circumstances, async () => {
      const now = await readNames(session, chosen);
      return { catalog: now, definitions: await readDefinitions(session, now) };
    });
    const { texts, warnings } = await readProgramTexts(session, catalog);
    const wide = await readWideCharacters(session, definitions);
    const { accounts, warnings: warningsOfAccounts } = await includedAccounts(session, dialect, grants, context);
    const report: PreflightReport = {
      inventory: withAccounts({ ...inventory, settings: recordedSettings(dialect.settings, session.found) }, accounts),
      parts: [
        {
          ...databasesPart,
          characterSet: dialect.dumpCharacterSet(definitions),
          tool: { name: dialect.dumpTool, version: versionNumber(toolVersion) },
        },
        ...(accounts === undefined ? [] : [usersPart('sql')]),
      ],
      warnings: [
        ...(blind
          ? [
              'The user has no SHOW DATABASES privilege: databases that are hidden from the user are not in this backup.',
            ]
          : []),
        ...(typeof context.lockPatienceMs === 'number' ? await warnOfHiddenSessions(session, grants) : []),
        ...warnOfForeignFolders(connection.databases === null ? await findForeignFolders(session) : []),
        ...warningsOfAccounts,
        ...(await findLosses(session, catalog, others)),
        ...(await findLostValues(session, wide.definitions)),
        ...wide.warnings,
        ...(await findComputedAnew(session, definitions)),
        ...(await dialect.findOwnLosses(session, catalog, definitions)),
        ...warnings,
        ...warnOfSequencesElsewhere(inventory),
        ...warnOfDirectories(inventory),
        ...warnOfIgnoredOptions(definitions),
        ...warnOfImpatientServer(session.found),
      ],
    };
    const lastStatements = await dialect.statementsAfterDump(session, catalog);
    return {
      ...{ report, server: session.server, texts, lastStatements, program: dump, users: accounts?.statements },
      rowModes: rowModes(definitions, dialect.product),
      tableStatements: [...wide.statements, ...dropDefaults(definitions, dialect.product)],
    };
  });
}

/**
 * The inventory of the chosen databases that exist. With `countingMs` 0, rows, sizes and times are not read.
 */
export async function inventoryServer(
  connection: ServiceConnection,
  settings: FamilySettings,
  context: InventoryContext,
): Promise<Inventory> {
  const { countingMs = defaultCountingMs, onAnswer } = context;
  return withPatientSession(connection, { ...settings, ...context }, async (session) => {
    const { dump } = await settings.dialect.findTools(settings.tools, serverVersion(session), context.signal);
    const toolVersion = await programVersion(dump, settings.tools, context.signal);
    const databases = await present(session, connection);
    const options = { ...settings, ...context };
    if (countingMs === 0) {
      return (await describe(session, connection, options, await readNames(session, databases), toolVersion)).inventory;
    }
    const catalog = await readCatalog(session, databases);
    const count = (inventory: Inventory) =>
      // If the dump holds the history, a restored server holds the same history.
      countAll(session, countedTables(inventory, { history: true }), { budgetMs: countingMs, onAnswer });
    return (await describe(session, connection, options, catalog, toolVersion, { count })).inventory;
  });
}

/**
 * A second session reads the definitions while this one counts rows. If no second session is possible, this one does
 * both.
 */
async function describe(
  session: Session,
  connection: ServiceConnection,
  options: SessionOptions,
  catalog: Names,
  toolVersion: string,
  {
    count,
    others,
  }: { readonly count?: (inventory: Inventory) => Promise<Counts>; readonly others?: readonly string[] } = {},
): Promise<{ readonly inventory: Inventory; readonly definitions: Definitions }> {
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const versions = { serverVersion: await versionOfServer(session), toolVersion };
  const uncounted = listInventory(catalog, versions, new Map());
  const reading =
    count === undefined
      ? readDefinitions(session, catalog)
      : withPatientSession(connection, { ...options, signal }, (other) => readDefinitions(other, catalog));
  // The rejection surfaces where the promise is awaited; this only prevents an unhandled rejection.
  reading.catch(() => undefined);
  try {
    const listed = count === undefined ? uncounted : listInventory(catalog, versions, await count(uncounted));
    const definitions = await reading.catch((error: unknown) => {
      if (!hasNoConnectionLeft(error)) throw error;
      return readDefinitions(session, catalog);
    });
    return { inventory: await withDefinitions(session, listed, catalog, definitions, others), definitions };
  } catch (error) {
    failed.abort(error);
    throw error;
  }
}

/** 1040, 1203 and 1226: the server or the account has reached its limit of connections. */
function hasNoConnectionLeft(error: unknown): boolean {
  const number = serverErrorNumber(error);
  return number === 1040 || number === 1203 || number === 1226;
}

/** The default time limit for counting rows. */
export const defaultCountingMs = 20_000;

/** The version for the choice of a tool, as the server reports it. */
export function serverVersion({ found }: Session): string {
  return found.get('version')?.value ?? '';
}

async function versionOfServer(session: Session): Promise<string> {
  const [row] = await session.query('SELECT VERSION() AS version');
  return shortText(row?.['version']);
}

async function present(session: Session, { databases }: ServiceConnection) {
  const listed = await listDatabases(session);
  if (databases === null) return listed;
  const wanted = new Set(databases);
  // The database was restored under its name in lower case if the server stores names in lower case.
  const folded = new Set(databases.filter((name) => !listed.some((each) => each.name === name)).map(lowerCase));
  return listed.filter(({ name }) => wanted.has(name) || folded.has(name));
}

function lowerCase(name: string): string {
  return name.toLowerCase();
}
