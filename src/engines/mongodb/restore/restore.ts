import type { StowageError } from '../../../errors.js';
import { judgeRestore } from '../../pipeline/judgePipeline.js';
import { startRestorePipeline } from '../../pipeline/restorePipeline.js';
import type { PartSpec } from '../../preflightReport.js';
import { endedWell, howItEnded } from '../../process/toolEnd.js';
import { createToolFiles } from '../../process/toolFiles.js';
import type { RestoreContext, RestoreSource, RunningRestore } from '../../runningRestore.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { shellWord } from '../../../storage/shellWord.js';
import { hasOplog, type MongodbSettings } from '../checks/preflight.js';
import { toolFailed } from '../dump/dump.js';
import { withSession } from '../session/members.js';
import type { Session } from '../session/session.js';
import { addConfigFile } from '../tools/configFile.js';
import { mongodbOutput } from '../tools/mongodbOutput.js';
import { findMongodbTool } from '../tools/mongodbTools.js';
import { toolEnvironment } from '../tools/toolEnvironment.js';
import { toolProblems } from '../tools/toolProblems.js';
import { clearMarker, markerOf, setMarker, type RestoreMarker } from './marker.js';
import { restoreAppName } from './restoreSessions.js';

/**
 * - `--stopOnError`: the first error ends the restore;
 * - `--maintainInsertionOrder`: documents of a capped collection keep their order;
 * - `--bypassDocumentValidation`: documents that are older than a validator are restored too;
 * - `--keepIndexVersion`: an index keeps its version.
 */
const keepingAll = [
  '--archive',
  '--stopOnError',
  '--maintainInsertionOrder',
  '--bypassDocumentValidation',
  '--keepIndexVersion',
];

/** Starts mongorestore at the primary. It owns the session, and closes it. */
export async function startMongodbRestore(
  target: ServiceConnection,
  session: Session,
  settings: MongodbSettings,
  part: PartSpec,
  source: RestoreSource,
  context: RestoreContext,
): Promise<RunningRestore> {
  const marker = markerOf(source.inventory, part.databases ?? source.inventory.databases.map(({ name }) => name));
  const problems = toolProblems();
  const marked = { isSet: false };
  try {
    const tool = await findMongodbTool('mongorestore', settings.tools, context.signal);
    const { member, address } = session;
    const files = createToolFiles(context.workFolder);
    const configFile = addConfigFile(member, address, files, restoreAppName(source.restoreId));
    const running = await startRestorePipeline(
      {
        program: tool.path,
        args: [`--config=${configFile}`, ...keepingAll, ...namespaces(part)],
        files,
        environment: toolEnvironment(member, address, files),
        secrets: member.password === null ? [] : [member.password],
        filter: mongodbOutput(),
        onLine: problems.onLine,
      },
      {
        ...{ ...context, tools: settings.tools },
        mayStart: async () => {
          await context.mayStart?.();
          await setMarker(session, marker);
          marked.isSet = true;
        },
      },
    );
    return {
      stored: running.stored,
      writtenBytes: () => running.plainBytes(),
      ended: running.ended.then(async (end) => {
        const failure = judgeRestore(end, () =>
          endedWell(end.tool) ? null : toolFailed(`mongorestore ${howItEnded(end.tool)}`, end.tool, problems.found),
        );
        const unmarked = await removeMarker(target, session, settings, marker, context);
        return { ...end.tool, failure: failure ?? unmarked };
      }),
    };
  } catch (error) {
    if (marked.isSet) await removeMarker(target, session, settings, marker, context);
    else session.close();
    throw error;
  }
}

/** The session may have been idle for hours, so this opens another one. Returns the failure. */
async function removeMarker(
  target: ServiceConnection,
  session: Session,
  settings: MongodbSettings,
  marker: RestoreMarker,
  { signal }: RestoreContext,
): Promise<StowageError | null> {
  session.close();
  try {
    // A restore that was aborted must not leave the marker either.
    const limited = signal.aborted ? AbortSignal.timeout(5_000) : signal;
    await withSession(target, 'WRITE', { ...settings, signal: limited }, (opened) => clearMarker(opened, marker));
    return null;
  } catch (error) {
    return error as StowageError;
  }
}

/**
 * mongorestore refuses a selection of namespaces together with an oplog. In that case the archive itself holds only the
 * namespaces of the backup, because the dump left out the others.
 */
function namespaces(part: PartSpec): readonly string[] {
  if (hasOplog(part)) return ['--oplogReplay'];
  return (part.databases ?? []).map((name) => `--nsInclude=${escaped(name)}.*`);
}

/** `*` stands for any text in a pattern of namespaces. */
function escaped(name: string): string {
  return name.replace(/[\\*]/g, '\\$&');
}

/** The options for the server (`--uri=…` or `--config=…`) are appended. */
export function mongodbRestoreByHand(part: PartSpec): string {
  return ['mongorestore', ...keepingAll, ...namespaces(part).map(shellWord)].join(' ');
}

export const mongodbRestoreByHandNeeds = 'the MongoDB Database Tools 100.16.0 or newer (mongorestore)';
