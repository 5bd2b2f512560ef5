import type { Inventory } from '../../inventory.js';
import type { InventoryContext, EngineContext } from '../../engineContext.js';
import type { ServerAddress } from '../../network/serverAddress.js';
import type { PartSpec, PreflightReport } from '../../preflightReport.js';
import type { PrepareDumpContext } from '../../runningDump.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { listDatabases, selectDatabases } from '../catalog/databases.js';
import { defaultCountingMs, readInventory } from '../catalog/inventory.js';
import { globalsPart } from '../globals/globalsPart.js';
import { includedRoles, withRoles, type IncludedRoles } from '../globals/includedRoles.js';
import { withSession } from '../session/session.js';
import type { PostgresqlSettings } from '../settings.js';
import { findPostgresqlTools, toolsForDump, type PostgresqlTools } from '../tools/postgresqlTools.js';
import type { ArchivedNames } from '../catalog/names.js';
import { archivedNames } from '../catalog/tables.js';
import { findHazards } from './hazards.js';
import { warnOfLeftOutDatabases } from './leftOut.js';
import { refuseSilentLosses } from './refuseSilentLosses.js';
import { refuseUndumpableTables } from './refuseUndumpableTables.js';
import { refuseUnfitServer } from './refuseUnfitServer.js';

/** A server that was checked, and the tools for it. */
export type PostgresqlPreflight = {
  readonly report: PreflightReport;
  readonly server: ServerAddress;
  readonly tools: PostgresqlTools;
  /** By database. */
  readonly archivedNames: ReadonlyMap<string, ArchivedNames>;
  readonly globals: IncludedRoles['content'];
  /** The major version of the server. */
  readonly major: number;
  /** A database that the account may connect to, for what belongs to none. */
  readonly database: string;
};

/** Finds everything that would end a dump or make it incomplete. */
export async function preflightPostgresql(
  connection: ServiceConnection,
  settings: PostgresqlSettings,
  context: EngineContext & Pick<PrepareDumpContext, 'includeUsers'>,
): Promise<PostgresqlPreflight> {
  const installed = await findPostgresqlTools(settings.tools, context.signal);
  const session = { ...settings, ...context };
  return withSession(connection, session, undefined, async (first) => {
    const tools = toolsForDump(installed, first.version);
    const warnings: string[] = [...(await refuseUnfitServer(connection, first, session))];
    const names = new Map<string, ArchivedNames>();
    const databases = await selectDatabases(first, connection.databases);
    const inventory = await readInventory(connection, first, databases, {
      ...{ session, toolVersion: tools.version, counting: 'NONE' },
      alsoRead: async (each, tables, database) => {
        await refuseSilentLosses(each);
        await refuseUndumpableTables(each, tables.length);
        warnings.push(...(await findHazards(each, database.name)));
        names.set(database.name, await archivedNames(each));
      },
    });
    warnings.push(...(await warnOfLeftOutDatabases(connection, first, session)));
    const globals = await includedRoles(first, context.includeUsers ?? 'NONE');
    const report = {
      inventory: withRoles(inventory, globals.roles),
      parts: partsOf(inventory, tools),
      warnings: [...warnings, ...globals.warnings],
    };
    const { server, database, version } = first;
    return { report, server, tools, archivedNames: names, globals: globals.content, major: version.major, database };
  });
}

/** The globals come first: a person who restores by hand needs the roles before the databases. */
function partsOf({ databases }: Inventory, { version }: PostgresqlTools): readonly PartSpec[] {
  return [
    {
      ...{ name: globalsPart, extension: 'sql', databases: [], replay: false },
      tool: { name: 'pg_dumpall', version },
    },
    ...databases.map(({ name }): PartSpec => ({
      ...{ name: `database-${name}`, extension: 'dump', databases: [name] },
      tool: { name: 'pg_dump', version },
    })),
  ];
}

/** The contents of a server, for comparison. Databases that do not exist are missing in it. */
export async function inventoryPostgresql(
  connection: ServiceConnection,
  settings: PostgresqlSettings,
  context: InventoryContext,
): Promise<Inventory> {
  const { countingMs = defaultCountingMs } = context;
  const session = { ...settings, ...context };
  return withSession(connection, session, undefined, async (first) => {
    const databases = await listDatabases(first, connection.databases);
    const counting = countingMs === 0 ? 'NONE' : { limitMs: countingMs };
    return readInventory(connection, first, databases, { session, toolVersion: '', counting });
  });
}
