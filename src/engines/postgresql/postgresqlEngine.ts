import { createConversations } from '../conversation/conversations.js';
import type { Engine } from '../engine.js';
import { systemTools } from '../process/tools.js';
import { checkPostgresql } from './checks/check.js';
import { inventoryPostgresql, preflightPostgresql } from './checks/preflight.js';
import { refuseTransactionPooler } from './checks/refuseUnfitServer.js';
import { listedStates } from './catalog/listedStates.js';
import { startPostgresqlDump } from './dump/dump.js';
import { judgeDifference } from './restore/judgeDifference.js';
import {
  applicationNameOf,
  postgresqlRestoreByHand,
  postgresqlRestoreByHandNeeds,
  startPostgresqlRestore,
} from './restore/restore.js';
import { checkRestore } from './restore/restorePreflight.js';
import { endRestoreSessions } from './restore/restoreSessions.js';
import { postgresqlDriver, withSession } from './session/session.js';
import type { PostgresqlSettings } from './settings.js';
import { findPostgresqlTools, installedTools, postgresqlReleases, toolsForRestore } from './tools/postgresqlTools.js';

export type PostgresqlEngineOptions = Partial<PostgresqlSettings> & {
  /** See `EngineOptions`. */
  readonly keepsSpare?: boolean;
};

/** How long `endOurSessions` waits for the server's rollback before it returns false. */
const rollbackLimitMs = 30_000;

/** The engine for PostgreSQL with its own tools, pg_dump, pg_dumpall and pg_restore. */
export function createPostgresqlEngine(options: PostgresqlEngineOptions = {}): Engine {
  const tools = options.tools ?? systemTools;
  const keepsSpare = options.keepsSpare ?? false;
  const settings: PostgresqlSettings = {
    allowAddress: options.allowAddress ?? (() => true),
    tools,
    conversations: options.conversations ?? createConversations(postgresqlDriver, { keepsSpare, tools }),
  };
  return {
    name: 'POSTGRESQL',
    defaultPort: 5432,
    programs: ['pg_dump', 'pg_dumpall', 'pg_restore', 'zstd'],
    toolReleases: postgresqlReleases,
    takesAuthSource: false,
    tools: () => installedTools(tools),
    check: (connection, limits) => checkPostgresql(connection, settings, limits),
    prepareDump: async (connection, prepared) => {
      const preflight = await preflightPostgresql(connection, settings, prepared);
      return {
        report: preflight.report,
        dump: (part, context) => startPostgresqlDump(connection, preflight, settings, part, prepared, context),
        close: () => Promise.resolve(),
      };
    },
    inventory: (connection, context) => inventoryPostgresql(connection, settings, context),
    recount: (connection, tables, _source, context) => listedStates(connection, tables, settings, context),
    restorePreflight: async (target, source, context) => {
      const installed = await findPostgresqlTools(tools, context.signal);
      return withSession(target, { ...settings, ...context }, undefined, async (session) => {
        await refuseTransactionPooler(target, session, { ...settings, ...context });
        toolsForRestore(installed, session.version, source.inventory.toolVersion);
        return checkRestore(session, source);
      });
    },
    restore: (target, part, source, context) => startPostgresqlRestore(target, settings, part, source, context),
    restoreByHand: () => postgresqlRestoreByHand,
    restoreByHandNeeds: postgresqlRestoreByHandNeeds,
    judgeDifference,
    endOurSessions: (target, restoreId, context) =>
      withSession(target, { ...settings, ...context }, undefined, (session) =>
        endRestoreSessions(session, applicationNameOf(restoreId), {
          signal: context.signal,
          limitMs: rollbackLimitMs,
        }),
      ),
    close: () => settings.conversations.close(),
  };
}
