import type { Engine } from '../engine.js';
import type { EngineContext } from '../engineContext.js';
import type { PreflightReport } from '../preflightReport.js';
import type { ReadyDump } from '../runningDump.js';
import type { ServiceConnection } from '../serviceConnection.js';
import { checkMariadb } from './checks/check.js';
import { countBesideDump } from './counting/countBesideDump.js';
import { openMariadbPipeline, startMariadbDump, type MariadbPipeline } from './dump/dump.js';
import { judgeDifference } from './restoreChecks/judgeDifference.js';
import { findMariadbTools, installedTools } from './tools/mariadbTools.js';
import { inventoryMariadb, preflightMariadb, type MariadbSettings } from './checks/preflight.js';
import type { ProgramText } from './dump/programTexts.js';
import { recountMariadb } from './counting/recount.js';
import { mariadbRestoreByHand, mariadbRestoreByHandNeeds, startMariadbRestore } from './restore/restore.js';
import { checkRestore } from './restoreChecks/restorePreflight.js';
import { endRestoreSessions } from './restore/restoreSessions.js';
import type { ServerAddress } from '../network/serverAddress.js';
import { withPatientSession } from './locks/ownLockWaits.js';
import { spoiledMeanwhile } from './checks/settingsPreflight.js';
import type { Session } from './session/session.js';

export type MariadbEngineOptions = Partial<MariadbSettings>;

/** How long `endOurSessions` waits for the server's rollback before it answers false. */
const rollbackLimitMs = 30_000;

/**
 * MariaDB by its own tools, mariadb-dump and mariadb. `allowAddress` decides about every address that is connected to
 * (default: all); `toolsPath` are folders in which tools are looked for before the system's.
 */
export function createMariadbEngine(options: MariadbEngineOptions = {}): Engine {
  const settings: MariadbSettings = {
    allowAddress: options.allowAddress ?? (() => true),
    toolsPath: options.toolsPath ?? [],
  };
  /** The address that answered a preflight: its dump goes there without asking, and logging in, once more. */
  const answered = new WeakMap<PreflightReport, ServerAddress>();
  const programTexts = new WeakMap<PreflightReport, readonly ProgramText[]>();
  const pipelines = new WeakMap<ReadyDump, MariadbPipeline>();
  const asking = <T>(
    connection: ServiceConnection,
    context: EngineContext,
    work: (session: Session) => Promise<T>,
  ): Promise<T> => withPatientSession(connection, { ...settings, ...context }, work);

  return {
    name: 'MARIADB',
    defaultPort: 3306,
    tools: () => installedTools(settings.toolsPath),
    check: (connection, limits) => checkMariadb(connection, settings, limits),
    preflight: async (connection, context) => {
      const { report, server, texts } = await preflightMariadb(connection, settings, context);
      answered.set(report, server);
      programTexts.set(report, texts);
      return report;
    },
    inventory: (connection, context) => inventoryMariadb(connection, settings, context),
    recount: (connection, tables, source, context) => recountMariadb(connection, tables, source, settings, context),
    readyDump: async (context) => {
      const pipeline = await openMariadbPipeline(findMariadbTools(settings.toolsPath), context);
      const ready = { close: () => pipeline.close() };
      pipelines.set(ready, pipeline);
      return ready;
    },
    dump: async (connection, _part, report, context) => {
      const tools = findMariadbTools(settings.toolsPath);
      const server =
        answered.get(report) ?? (await asking(connection, context, ({ server }) => Promise.resolve(server)));
      const pipeline = context.ready === undefined ? undefined : pipelines.get(context.ready);
      const counting = await countBesideDump(connection, report.inventory, settings, context.signal);
      const settingsNow = () => asking(connection, context, (session) => spoiledMeanwhile(session, report));
      try {
        const running = await startMariadbDump(
          ...([connection, server, { report, texts: programTexts.get(report) ?? [] }] as const),
          ...([tools, pipeline, context] as const),
        );
        return {
          ...running,
          ...(counting === undefined ? {} : { counting }),
          ended: running.ended.then(async (end) =>
            end.failure === null ? { ...end, failure: await settingsNow().catch(() => null) } : end,
          ),
        };
      } catch (error) {
        await counting?.end(0);
        throw error;
      }
    },
    restorePreflight: async (target, source, context) => {
      findMariadbTools(settings.toolsPath);
      return asking(target, context, (session) => checkRestore(session, source));
    },
    restore: async (target, part, source, context) => {
      const tools = findMariadbTools(settings.toolsPath);
      const session = await asking(target, context, (opened) => Promise.resolve(opened));
      return startMariadbRestore(target, session, tools, part, source, context);
    },
    restoreByHand: mariadbRestoreByHand,
    restoreByHandNeeds: mariadbRestoreByHandNeeds,
    judgeDifference,
    endOurSessions: (target, restoreId, context) =>
      asking(target, context, (session) =>
        endRestoreSessions(session, restoreId, { signal: context.signal, limitMs: rollbackLimitMs }),
      ),
  };
}
