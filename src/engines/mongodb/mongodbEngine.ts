import { dumpUsers } from '../accounts/dumpUsers.js';
import { isUsersPart } from '../accounts/usersPart.js';
import { createConversations, type Conversations } from '../conversation/conversations.js';
import type { Engine } from '../engine.js';
import type { InventoryContext } from '../engineContext.js';
import type { AllowAddress } from '../network/serverAddress.js';
import { systemTools, type Tools } from '../process/tools.js';
import type { TableState, UnsureTable } from '../rowCounting.js';
import type { PrepareDumpContext, PreparedDump } from '../runningDump.js';
import type { ServiceConnection } from '../serviceConnection.js';
import { countCollections, readCollections } from './catalog/catalog.js';
import { checkMongodb } from './checks/check.js';
import { inventoryMongodb, preflightMongodb, type MongodbSettings } from './checks/preflight.js';
import { openMongodbPipeline, startMongodbDump } from './dump/dump.js';
import { judgeDifference } from './restore/judgeDifference.js';
import { mongodbRestoreByHand, mongodbRestoreByHandNeeds, startMongodbRestore } from './restore/restore.js';
import { checkRestore } from './restore/restorePreflight.js';
import { endRestoreSessions } from './restore/restoreSessions.js';
import { openSession, withSession } from './session/members.js';
import { mongodbDriver } from './session/session.js';
import { findMongodbTool, installedTools } from './tools/mongodbTools.js';

export type MongodbEngineOptions = {
  /** See `EngineOptions`. */
  readonly allowAddress?: AllowAddress;
  readonly tools?: Tools;
  /** For tests. */
  readonly conversations?: Conversations;
};

/** How long `endOurSessions` waits for the end of an operation before it returns false. */
const endLimitMs = 30_000;
const defaultCountingMs = 20_000;

/** The engine for MongoDB with the MongoDB Database Tools, mongodump and mongorestore. */
export function createMongodbEngine(options: MongodbEngineOptions = {}): Engine {
  const tools = options.tools ?? systemTools;
  const settings: MongodbSettings = {
    allowAddress: options.allowAddress ?? (() => true),
    tools,
    conversations: options.conversations ?? createConversations(mongodbDriver, { tools }),
  };
  return {
    name: 'MONGODB',
    defaultPort: 27017,
    programs: ['mongodump', 'mongorestore', 'zstd'],
    takesAuthSource: true,
    takesSeveralHosts: true,
    tools: () => installedTools(tools),
    check: (connection, limits) => checkMongodb(connection, settings, limits),
    prepareDump: (connection, context) => prepareDump(connection, settings, context),
    inventory: (connection, context) => inventoryMongodb(connection, settings, context),
    recount: (connection, tables, _source, context) => recount(connection, tables, settings, context),
    restorePreflight: async (target, source, context) => {
      await findMongodbTool('mongorestore', tools, context.signal);
      return withSession(target, 'WRITE', { ...settings, ...context }, (session) => checkRestore(session, source));
    },
    restore: async (target, part, source, context) => {
      const session = await openSession(target, 'WRITE', { ...settings, ...context });
      return startMongodbRestore(target, session, settings, part, source, context);
    },
    restoreByHand: mongodbRestoreByHand,
    restoreByHandNeeds: mongodbRestoreByHandNeeds,
    judgeDifference,
    endOurSessions: (target, restoreId, context) =>
      withSession(target, 'WRITE', { ...settings, ...context }, (session) =>
        endRestoreSessions(session, restoreId, { signal: context.signal, limitMs: endLimitMs }),
      ),
    close: () => settings.conversations.close(),
  };
}

/** Every part has a pipeline of its own, which starts with its dump: there may be hundreds of parts. */
async function prepareDump(
  connection: ServiceConnection,
  settings: MongodbSettings,
  context: PrepareDumpContext,
): Promise<PreparedDump> {
  const preflight = await preflightMongodb(connection, settings, context);
  return {
    report: preflight.report,
    dump: async (part, dumpContext) => {
      if (isUsersPart(part) && preflight.users !== undefined)
        return dumpUsers(preflight.users, settings.tools, context, dumpContext);
      const databases = part.databases ?? preflight.report.inventory.databases.map(({ name }) => name);
      const pipeline = await openMongodbPipeline(settings.tools, databases, { ...context, ...dumpContext });
      try {
        return await startMongodbDump(preflight, part, pipeline, dumpContext);
      } catch (error) {
        await pipeline.close();
        throw error;
      }
    },
    close: () => Promise.resolve(),
  };
}

/** MongoDB does not report when a collection was last changed, so a difference of the numbers never proves a loss. */
async function recount(
  connection: ServiceConnection,
  tables: readonly UnsureTable[],
  settings: MongodbSettings,
  context: InventoryContext,
): Promise<readonly TableState[]> {
  const until = performance.now() + (context.countingMs ?? defaultCountingMs);
  return withSession(connection, 'READ', { ...settings, ...context }, async (session) => {
    const states: TableState[] = [];
    for (const database of new Set(tables.map((table) => table.database))) {
      const names = tables.filter((table) => table.database === database).map(({ name }) => name);
      const present = new Set((await readCollections(session, database)).map(({ name }) => name));
      const there = names.filter((name) => present.has(name));
      const counts = await countCollections(session, database, there, 'EXACT', until - performance.now());
      states.push(...there.map((name) => ({ database, name, rows: counts.get(name) ?? null })));
    }
    return states;
  });
}
