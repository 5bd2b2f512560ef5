import { StowageError } from '../../../errors.js';
import { asSentence } from '../../asSentence.js';
import { judgeRestore } from '../../pipeline/judgePipeline.js';
import { startRestorePipeline } from '../../pipeline/restorePipeline.js';
import type { PartSpec } from '../../preflightReport.js';
import { endedWell, howItEnded, type ToolEnd } from '../../process/toolEnd.js';
import { createToolFiles } from '../../process/toolFiles.js';
import { toolOutput } from '../../process/toolOutput.js';
import type { RestoreContext, RestoreSource, RunningRestore } from '../../runningRestore.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import type { FamilySettings } from '../checks/preflight.js';
import type { Dialect } from '../dialect.js';
import { watchToolLocks } from '../locks/toolLocks.js';
import { restoreAssignments } from '../session/serverSettings.js';
import type { Session } from '../session/session.js';
import { toolMessages } from '../tools/toolMessages.js';
import { pinnedName } from '../../network/pinnedName.js';
import { addOptionFile } from '../tools/optionFile.js';
import { toolProblems, type ToolProblem } from '../tools/toolProblems.js';
import { findRestoreSession, restoreLocks } from './restoreSessions.js';

type RestoreTools = Pick<FamilySettings, 'tools' | 'conversations' | 'dialect'> & { readonly program: string };

/**
 * - `--binary-mode`: line ends inside values stay, and no client command (`\!`) in a dump is obeyed;
 * - `--comments`: comments in routines stay;
 */
const keepingAll = ({ characterSet = 'utf8mb4' }: PartSpec) => [
  `--default-character-set=${characterSet}`,
  '--binary-mode',
  '--comments',
];

/** Starts the client. It stops at the first error. */
export async function startFamilyRestore(
  target: ServiceConnection,
  { server, found }: Pick<Session, 'server' | 'found'>,
  { program, tools, conversations, dialect }: RestoreTools,
  part: PartSpec,
  source: RestoreSource,
  context: RestoreContext,
): Promise<RunningRestore> {
  const files = createToolFiles(context.workFolder);
  const optionFile = await addOptionFile(target, server, files, { program, dialect });
  const ended = new AbortController();
  const problems = toolProblems(dialect.product, 'RESTORE', (line) => /error/i.test(line), anotherRuns);
  const running = await startRestorePipeline(
    {
      program,
      args: [
        `--defaults-file=${optionFile}`,
        ...keepingAll(part),
        '--batch',
        '--skip-reconnect',
        '--local-infile=0',
        '--connect-timeout=10',
        `--init-command=SET SESSION ${restoreAssignments(dialect.settings, found, source.inventory.settings)}, ${takeLocks(source)}`,
      ],
      files,
      environment: pinnedName(target, server, files),
      secrets: target.password === null ? [] : [target.password],
      filter: toolMessages([anotherRuns]),
      onLine: problems.onLine,
    },
    { ...context, tools, signal: AbortSignal.any([context.signal, ended.signal]) },
  );
  let busy: StowageError | undefined;
  const tool = {
    ...{ connection: target, server, conversations, dialect, pid: running.pid, uid: running.uid },
    findTool: (session: Session) => findRestoreSession(session, source.restoreId),
    nextStep: 'Before restoring again, ',
  };
  const watch = watchToolLocks('The restore', tool, { ...context, lockPatienceMs: null }, (error) => {
    busy = error;
    ended.abort(error);
  });
  return {
    stored: running.stored,
    writtenBytes: () => running.plainBytes(),
    ended: running.ended.then(async (end) => {
      await watch.stop();
      const failure = judgeRestore(end, () => toolFailed(dialect.clientTool, end.tool, problems.found));
      return { ...end.tool, failure: failure === null ? null : (busy ?? failure) };
    }),
  };
}

/**
 * The session holds the locks as long as it lives (restoreSessions.ts). If another restore holds one of them, the login
 * fails, and the error contains these words, which are no SQL mode.
 */
function takeLocks(source: RestoreSource): string {
  const taken = restoreLocks(source).map((name) => `GET_LOCK('${name}',0)`);
  return `sql_mode=IF(${taken.join(' AND ')}, @@sql_mode, '${anotherRuns}')`;
}

const anotherRuns = 'another restore is running';

/** Connection options (`--host=… --user=… --password`) are appended. */
export function familyRestoreByHand({ clientTool, byHandSettings }: Dialect, part: PartSpec): string {
  return `${clientTool} ${keepingAll(part).join(' ')} --init-command='SET SESSION ${byHandSettings}'`;
}

/** The first error of the client is the cause. */
function toolFailed(clientTool: string, tool: ToolEnd, problems: readonly ToolProblem[]): StowageError | null {
  if (endedWell(tool)) return null;
  if (problems.some(({ isMarked }) => isMarked)) {
    return new StowageError('TARGET_EXISTS', 'Another restore has begun to create a database of the same name.', {
      help: 'No statement of this restore ran. Wait until the other restore has ended, and check what it has created.',
    });
  }
  const first = problems.find(({ number }) => number !== undefined) ?? problems[0];
  const ended = `The ${clientTool} client ${howItEnded(tool)}`;
  const sentence = asSentence(first === undefined ? ended : `${ended}: ${first.line}`);
  const [, statement] = /^Failed statement: (?!not shown)(.+)$/m.exec(tool.lastLines) ?? [];
  const message = statement === undefined ? sentence : `${sentence} The statement was ${asSentence(statement)}`;
  return new StowageError(first?.code ?? 'TOOL_FAILED', message, { ...toolOutput(tool), ...first?.wayOut });
}
