import type { EngineContext, Inventory, PreflightReport, ServiceConnection } from '../engine.js';
import { readCatalog } from './catalog.js';
import { takeInventory } from './inventory.js';
import { findLosses, refuseBrokenViews } from './losses.js';
import { findMariadbTools, versionOf } from './mariadbTools.js';
import { readGrants, refuseMissingDumpPrivileges, warnOfHiddenSessions } from './privileges.js';
import { listDatabases, selectDatabases } from './selection.js';
import { recordedSettings } from './serverSettings.js';
import { refuseSettingsThatSpoilDumps, warnOfImpatientServer } from './settingsPreflight.js';
import { withSession, type Session } from './session.js';
import type { AllowAddress, ServerAddress } from './serverAddress.js';

export type MariadbSettings = {
  readonly allowAddress: AllowAddress;
  /** Folders in which tools are looked for first. */
  readonly toolsPath: readonly string[];
};

/** All databases of a service become one part, dumped from one snapshot. */
export const databasesPart = { name: 'databases', extension: 'sql' };

/** Finds out what would end the dump, or make it smaller than the source, before it starts; and which address answered. */
export async function preflightMariadb(
  connection: ServiceConnection,
  settings: MariadbSettings,
  context: EngineContext,
): Promise<{ readonly report: PreflightReport; readonly server: ServerAddress }> {
  const tools = findMariadbTools(settings.toolsPath);
  const toolVersion = await versionOf(tools.dump, context.signal);
  return withSession(connection, { ...settings, ...context }, async (session) => {
    const listed = await listDatabases(session);
    const chosen = selectDatabases(listed, connection.databases);
    await refuseSettingsThatSpoilDumps(session, chosen, toolVersion);
    const catalog = await readCatalog(session, chosen);
    const grants = await readGrants(session);
    await refuseMissingDumpPrivileges(session, catalog, grants);
    await refuseBrokenViews(session, catalog);
    const isChosen = new Set(chosen);
    const others = listed.filter((database) => !isChosen.has(database)).map(({ name }) => name);
    const blind = connection.databases === null && !grants.holdsGlobally('SHOW DATABASES');
    const report: PreflightReport = {
      inventory: {
        ...(await takeInventory(session, catalog, toolVersion)),
        settings: recordedSettings(session.found),
      },
      parts: [databasesPart],
      warnings: [
        ...(blind
          ? ['The user has no SHOW DATABASES privilege: databases hidden from it are not in this backup.']
          : []),
        ...(typeof context.lockPatienceMs === 'number' ? await warnOfHiddenSessions(session, grants) : []),
        ...(await findLosses(session, catalog, others)),
        ...warnOfImpatientServer(session.found),
      ],
    };
    return { report, server: session.server };
  });
}

/** The inventory of what is there of the chosen databases; what is absent is left out. */
export async function inventoryMariadb(
  connection: ServiceConnection,
  settings: MariadbSettings,
  context: EngineContext,
): Promise<Inventory> {
  const toolVersion = await versionOf(findMariadbTools(settings.toolsPath).dump, context.signal);
  return withSession(connection, { ...settings, ...context }, async (session) =>
    takeInventory(session, await readCatalog(session, await present(session, connection)), toolVersion),
  );
}

async function present(session: Session, { databases }: ServiceConnection) {
  const listed = await listDatabases(session);
  if (databases === null) return listed;
  const wanted = new Set(databases);
  // A server that keeps names in lower case has what was restored under that name.
  const folded = new Set(databases.filter((name) => !listed.some((each) => each.name === name)).map(lowerCase));
  return listed.filter(({ name }) => wanted.has(name) || folded.has(name));
}

function lowerCase(name: string): string {
  return name.toLowerCase();
}
