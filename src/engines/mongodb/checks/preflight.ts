import { usersPart } from '../../accounts/usersPart.js';
import type { InventoryContext } from '../../engineContext.js';
import type { Inventory } from '../../inventory.js';
import type { PartSpec, PreflightReport } from '../../preflightReport.js';
import type { Conversations } from '../../conversation/conversations.js';
import type { AllowAddress, ServerAddress } from '../../network/serverAddress.js';
import type { Tools } from '../../process/tools.js';
import type { PrepareDumpContext } from '../../runningDump.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { includedAccounts, withAccounts } from '../accounts/includedAccounts.js';
import {
  countCollections,
  listDatabases,
  readCollections,
  readCatalog,
  selectDatabases,
  sizeOf,
  type Catalog,
} from '../catalog/catalog.js';
import { listInventory, type Counts } from '../catalog/inventory.js';
import { refuseMissingDumpPrivileges } from '../privileges/privileges.js';
import { withSession } from '../session/members.js';
import type { MongodbServer } from '../session/server.js';
import { serverErrorNumber, type Session } from '../session/session.js';
import { findMongodbTool, type MongodbTool } from '../tools/mongodbTools.js';
import { findLosses, listed, refuseUnrestorable } from './losses.js';

export type MongodbSettings = {
  readonly allowAddress: AllowAddress;
  readonly tools: Tools;
  readonly conversations: Conversations;
};

export type MongodbPreflight = {
  readonly report: PreflightReport;
  /** The member to dump, and the address that answered. The dump connects only to it. */
  readonly member: ServiceConnection;
  readonly address: ServerAddress;
  readonly tool: MongodbTool;
  /** The script of the part `users`. Undefined: there is no such part. */
  readonly users: string | undefined;
};

const fastCountMs = 10_000;
const defaultCountingMs = 20_000;

/**
 * A replica set of which everything is dumped becomes one part, whose oplog makes it one instant. Otherwise each database
 * becomes a part.
 */
export function hasOplog(part: Pick<PartSpec, 'databases'>): boolean {
  return part.databases === undefined;
}

/** Finds everything that would end the dump or make it smaller than the source, before the dump starts. */
export async function preflightMongodb(
  connection: ServiceConnection,
  settings: MongodbSettings,
  context: Omit<PrepareDumpContext, 'steps'>,
): Promise<MongodbPreflight> {
  const tool = await findMongodbTool('mongodump', settings.tools, context.signal);
  return withSession(connection, 'READ', { ...settings, ...context }, async (session) => {
    const chosen = selectDatabases(await listDatabases(session), connection.databases);
    const withOplog = takesOplog(connection, session.server);
    await refuseMissingDumpPrivileges(session, chosen, { all: connection.databases === null, withOplog });
    const catalog = await readCatalog(session, chosen);
    refuseUnrestorable(catalog);
    const counts = await countAll(session, catalog, 'FAST', fastCountMs);
    const figures = { counts, areExact: false, sizes: await sizesOf(session, chosen) };
    const dumpedBy = { tool: { name: 'mongodump', version: tool.version } };
    const parts: readonly PartSpec[] = withOplog
      ? [{ name: 'databases', extension: 'archive', ...dumpedBy }]
      : chosen.map((name) => ({ name, extension: 'archive', databases: [name], ...dumpedBy }));
    const { included, warnings } = await includedAccounts(session, connection, context);
    const users = (included?.accounts.length ?? 0) > 0 ? included?.script : undefined;
    const hasAccounts = (context.includeUsers ?? 'NONE') !== 'NONE';
    return {
      report: {
        inventory: withAccounts(listInventory(catalog, session.server, tool.version, figures), included),
        parts: users === undefined ? parts : [...parts, usersPart('js', chosen)],
        warnings: [
          ...instantWarning(connection, session.server),
          ...findLosses(catalog, session.server, { hasAccounts }),
          ...warnings,
          ...(await lossesOfAdmin(connection, session)),
        ],
      },
      ...{ member: session.member, address: session.address, tool, users },
    };
  });
}

/** A backup of all databases leaves out those of the system, but nothing prevents an application from using admin. */
async function lossesOfAdmin({ databases }: ServiceConnection, session: Session): Promise<readonly string[]> {
  if (databases !== null) return [];
  const all = await readCollections(session, 'admin').catch((error: unknown) => {
    if (serverErrorNumber(error) === undefined) throw error;
    return [];
  });
  const names = all.map(({ name }) => name).filter((name) => !/^(?:system\.|tempusers$|temproles$)/.test(name));
  if (names.length === 0) return [];
  return [
    `The database admin belongs to the system and is not in the backup, with these collections of yours: ${listed(names)}. Move them into another database.`,
  ];
}

export function takesOplog({ databases }: ServiceConnection, { kind, replicaSet }: MongodbServer): boolean {
  return databases === null && kind !== 'MONGOS' && replicaSet !== null;
}

/** The reason why a backup is not from a single instant. */
export function instantWarning(connection: ServiceConnection, server: MongodbServer): readonly string[] {
  if (takesOplog(connection, server)) return [];
  const reason =
    server.kind === 'MONGOS'
      ? 'the service is a sharded cluster'
      : server.replicaSet === null
        ? 'the server is not a member of a replica set, so it has no oplog'
        : 'the service names single databases, and an oplog can be used only for all of them';
  return [
    `The backup is not from a single instant, because ${reason}. Documents that are written during the backup may or may not be in it.`,
  ];
}

/** The inventory of the chosen databases that exist. With `countingMs` 0, documents and sizes are not read. */
export async function inventoryMongodb(
  connection: ServiceConnection,
  settings: MongodbSettings,
  context: InventoryContext,
): Promise<Inventory> {
  const { countingMs = defaultCountingMs } = context;
  const tool = await findMongodbTool('mongodump', settings.tools, context.signal);
  return withSession(connection, 'READ', { ...settings, ...context }, async (session) => {
    const listed = await listDatabases(session);
    const wanted = new Set(connection.databases ?? listed);
    const catalog = await readCatalog(
      session,
      listed.filter((name) => wanted.has(name)),
    );
    const none: Counts = new Map();
    const counts = countingMs === 0 ? none : await countAll(session, catalog, 'EXACT', countingMs);
    const sizes = countingMs === 0 ? new Map<string, number | null>() : await sizesOf(session, catalog.databases);
    return listInventory(catalog, session.server, tool.version, { counts, areExact: true, sizes });
  });
}

async function countAll(
  session: Session,
  { databases, collections }: Catalog,
  how: 'EXACT' | 'FAST',
  limitMs: number,
): Promise<Counts> {
  const until = performance.now() + limitMs;
  const counts = new Map<string, ReadonlyMap<string, number>>();
  for (const database of databases) {
    const names = collections
      .filter((each) => each.database === database && each.type === 'collection')
      .map(({ name }) => name);
    counts.set(database, await countCollections(session, database, names, how, until - performance.now()));
  }
  return counts;
}

async function sizesOf(session: Session, databases: readonly string[]): Promise<ReadonlyMap<string, number | null>> {
  const sizes = new Map<string, number | null>();
  for (const database of databases) sizes.set(database, await sizeOf(session, database));
  return sizes;
}
