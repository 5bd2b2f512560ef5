import type { Engine } from '../engine.js';
import type { EngineContext } from '../engineContext.js';
import type { DumpContext, PrepareDumpContext, PreparedDump, RunningDump } from '../runningDump.js';
import { createConversations } from '../conversation/conversations.js';
import type { ServiceConnection } from '../serviceConnection.js';
import { checkMariadb } from '../mysqlFamily/checks/check.js';
import {
  inventoryMariadb,
  preflightMariadb,
  type MariadbPreflight,
  type MariadbSettings,
} from '../mysqlFamily/checks/preflight.js';
import { spoiledMeanwhile } from '../mysqlFamily/checks/settingsPreflight.js';
import { countBesideDump } from '../mysqlFamily/counting/countBesideDump.js';
import { recountMariadb } from '../mysqlFamily/counting/recount.js';
import { openMariadbPipeline, startMariadbDump, type MariadbPipeline } from '../mysqlFamily/dump/dump.js';
import { withPatientSession } from '../mysqlFamily/locks/ownLockWaits.js';
import {
  mariadbRestoreByHand,
  mariadbRestoreByHandNeeds,
  startMariadbRestore,
} from '../mysqlFamily/restore/restore.js';
import { endRestoreSessions } from '../mysqlFamily/restore/restoreSessions.js';
import { judgeDifference } from '../mysqlFamily/restoreChecks/judgeDifference.js';
import { checkRestore } from '../mysqlFamily/restoreChecks/restorePreflight.js';
import { mariadbDriver, type Session } from '../mysqlFamily/session/session.js';
import { findMariadbTools, installedTools } from './mariadbTools.js';
import { systemTools } from '../process/tools.js';

export type MariadbEngineOptions = Partial<MariadbSettings> & {
  /** See `EngineOptions`. */
  readonly keepsSpare?: boolean;
};

/** How long `endOurSessions` waits for the server's rollback before it returns false. */
const rollbackLimitMs = 30_000;

/** The engine for MariaDB with its own tools, mariadb-dump and mariadb. */
export function createMariadbEngine(options: MariadbEngineOptions = {}): Engine {
  const tools = options.tools ?? systemTools;
  const settings: MariadbSettings = {
    allowAddress: options.allowAddress ?? (() => true),
    tools,
    conversations:
      options.conversations ?? createConversations(mariadbDriver, { keepsSpare: options.keepsSpare ?? false, tools }),
  };
  const withPatience = <T>(
    connection: ServiceConnection,
    context: EngineContext,
    work: (session: Session) => Promise<T>,
  ): Promise<T> => withPatientSession(connection, { ...settings, ...context }, work);

  return {
    name: 'MARIADB',
    defaultPort: 3306,
    programs: ['mariadb-dump', 'mariadb', 'zstd'],
    takesAuthSource: false,
    tools: () => installedTools(tools),
    check: (connection, limits) => checkMariadb(connection, settings, limits),
    prepareDump: (connection, context) => prepareDump(connection, settings, context),
    inventory: (connection, context) => inventoryMariadb(connection, settings, context),
    recount: (connection, tables, source, context) => recountMariadb(connection, tables, source, settings, context),
    restorePreflight: async (target, source, context) => {
      findMariadbTools(tools);
      return withPatience(target, context, (session) => checkRestore(session, source));
    },
    restore: async (target, part, source, context) => {
      const client = { ...settings, program: findMariadbTools(tools).client };
      const session = await withPatience(target, context, (opened) => Promise.resolve(opened));
      return startMariadbRestore(target, session, client, part, source, context);
    },
    restoreByHand: mariadbRestoreByHand,
    restoreByHandNeeds: mariadbRestoreByHandNeeds,
    judgeDifference,
    endOurSessions: (target, restoreId, context) =>
      withPatience(target, context, (session) =>
        endRestoreSessions(session, restoreId, { signal: context.signal, limitMs: rollbackLimitMs }),
      ),
    close: () => settings.conversations.close(),
  };
}

/** The processes that read from the dump tool start while the server is queried. */
async function prepareDump(
  connection: ServiceConnection,
  settings: MariadbSettings,
  context: PrepareDumpContext,
): Promise<PreparedDump> {
  const pipeline = openMariadbPipeline(settings.tools, context);
  // `dump` awaits the promise; this only prevents an unhandled rejection.
  pipeline.catch(() => undefined);
  const close = () =>
    pipeline.then(
      (each) => each.close(),
      () => undefined,
    );
  try {
    const preflight = await preflightMariadb(connection, settings, context);
    return {
      report: preflight.report,
      dump: async (_part, dumpContext) => dump(connection, settings, preflight, await pipeline, dumpContext),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function dump(
  connection: ServiceConnection,
  settings: MariadbSettings,
  preflight: MariadbPreflight,
  pipeline: MariadbPipeline,
  context: DumpContext,
): Promise<RunningDump> {
  const { report } = preflight;
  const tool = { ...settings, program: findMariadbTools(settings.tools).dump };
  const counting = await countBesideDump(connection, report.inventory, settings, context.signal);
  const settingsNow = () =>
    withPatientSession(connection, { ...settings, ...context }, (session) => spoiledMeanwhile(session, report));
  try {
    const running = await startMariadbDump(connection, preflight, tool, pipeline, context);
    return {
      ...running,
      ...(counting === undefined ? {} : { counting }),
      ended: running.ended.then(async (end) => {
        counting?.dumpHasEnded();
        return end.failure === null ? { ...end, failure: await settingsNow().catch(() => null) } : end;
      }),
    };
  } catch (error) {
    await counting?.end(0);
    throw error;
  }
}
