import { dumpUsers } from '../accounts/dumpUsers.js';
import { isUsersPart } from '../accounts/usersPart.js';
import type { Engine } from '../engine.js';
import type { EngineContext } from '../engineContext.js';
import type { DumpContext, PrepareDumpContext, PreparedDump, RunningDump } from '../runningDump.js';
import { createConversations } from '../conversation/conversations.js';
import { systemTools } from '../process/tools.js';
import type { ServiceConnection } from '../serviceConnection.js';
import { checkServer } from './checks/check.js';
import {
  inventoryServer,
  preflightServer,
  serverVersion,
  type FamilyPreflight,
  type FamilySettings,
} from './checks/preflight.js';
import { spoiledMeanwhile } from './checks/settingsPreflight.js';
import { countBesideDump } from './counting/countBesideDump.js';
import { recountTables } from './counting/recount.js';
import type { Dialect } from './dialect.js';
import { openScannedPipeline, startFamilyDump, type ScannedPipeline } from './dump/dump.js';
import { withPatientSession } from './locks/ownLockWaits.js';
import { familyRestoreByHand, startFamilyRestore } from './restore/restore.js';
import { endRestoreSessions } from './restore/restoreSessions.js';
import { judgeDifferences } from './restoreChecks/judgeDifference.js';
import { checkRestore } from './restoreChecks/restorePreflight.js';
import type { Session } from './session/session.js';

export type FamilyEngineOptions = Partial<Omit<FamilySettings, 'dialect'>> & {
  /** See `EngineOptions`. */
  readonly keepsSpare?: boolean;
};

/** The facts about an engine that this folder does not know. */
type Facts = Pick<Engine, 'name' | 'programs' | 'tools' | 'toolReleases'> & {
  /** The module of the driver, for `createConversations`. */
  readonly driver: URL;
  readonly dialect: Dialect;
};

/** How long `endOurSessions` waits for the server's rollback before it returns false. */
const rollbackLimitMs = 30_000;

/** An engine for a server of this family with the tools of its vendor. */
export function createFamilyEngine({ driver, dialect, ...facts }: Facts, options: FamilyEngineOptions): Engine {
  const tools = options.tools ?? systemTools;
  const settings: FamilySettings = {
    allowAddress: options.allowAddress ?? (() => true),
    tools,
    conversations:
      options.conversations ?? createConversations(driver, { keepsSpare: options.keepsSpare ?? false, tools }),
    dialect,
  };
  const withPatience = <T>(
    connection: ServiceConnection,
    context: EngineContext,
    work: (session: Session) => Promise<T>,
  ): Promise<T> => withPatientSession(connection, { ...settings, ...context }, work);
  const toolsFor = (session: Session, { signal }: EngineContext) =>
    dialect.findTools(tools, serverVersion(session), signal);

  return {
    ...facts,
    defaultPort: 3306,
    takesAuthSource: false,
    check: (connection, limits) => checkServer(connection, settings, limits),
    prepareDump: (connection, context) => prepareDump(connection, settings, context),
    inventory: (connection, context) => inventoryServer(connection, settings, context),
    recount: (connection, tables, source, context) => recountTables(connection, tables, source, settings, context),
    restorePreflight: (target, source, context) =>
      withPatience(target, context, async (session) => {
        await toolsFor(session, context);
        return checkRestore(session, source);
      }),
    restore: async (target, part, source, context) => {
      const [program, session] = await withPatience(target, context, async (opened) => {
        const { client } = await toolsFor(opened, context);
        return [client, { server: opened.server, found: await dialect.settableFor(opened) }] as const;
      });
      return startFamilyRestore(target, session, { ...settings, program }, part, source, context);
    },
    restoreByHand: (part) => familyRestoreByHand(dialect, part),
    restoreByHandNeeds: dialect.byHandNeeds,
    judgeDifference: judgeDifferences(dialect),
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
  settings: FamilySettings,
  context: PrepareDumpContext,
): Promise<PreparedDump> {
  const pipeline = openScannedPipeline(settings, context);
  // `dump` awaits the promise; this only prevents an unhandled rejection.
  pipeline.catch(() => undefined);
  const close = () =>
    pipeline.then(
      (each) => each.close(),
      () => undefined,
    );
  try {
    const preflight = await preflightServer(connection, settings, context);
    return {
      report: preflight.report,
      dump: async (part, dumpContext) =>
        isUsersPart(part) && preflight.users !== undefined
          ? dumpUsers(preflight.users, settings.tools, context, dumpContext)
          : dump(connection, settings, preflight, await pipeline, dumpContext),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function dump(
  connection: ServiceConnection,
  settings: FamilySettings,
  preflight: FamilyPreflight,
  pipeline: ScannedPipeline,
  context: DumpContext,
): Promise<RunningDump> {
  const { report } = preflight;
  const counting = await countBesideDump(connection, report.inventory, settings, context.signal);
  const settingsNow = () =>
    withPatientSession(connection, { ...settings, ...context }, (session) => spoiledMeanwhile(session, report));
  try {
    const running = await startFamilyDump(connection, preflight, settings, pipeline, context);
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
