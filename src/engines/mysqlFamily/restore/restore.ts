import { StowageError } from '../../../errors.js';
import { asSentence } from '../../asSentence.js';
import type { Conversations } from '../../conversation/conversations.js';
import { judgeRestore } from '../../pipeline/judgePipeline.js';
import { startRestorePipeline } from '../../pipeline/restorePipeline.js';
import type { PartSpec } from '../../preflightReport.js';
import { endedWell, howItEnded, type ToolEnd } from '../../process/toolEnd.js';
import { createToolFiles } from '../../process/toolFiles.js';
import { toolOutput } from '../../process/toolOutput.js';
import type { RestoreContext, RestoreSource, RunningRestore } from '../../runningRestore.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { watchToolLocks } from '../locks/toolLocks.js';
import { restoreAssignments } from '../session/serverSettings.js';
import type { Session } from '../session/session.js';
import { mariadbOutput } from '../tools/toolMessages.js';
import { pinnedName } from '../../network/pinnedName.js';
import { addOptionFile } from '../tools/optionFile.js';
import { toolProblems, type ToolProblem } from '../tools/toolProblems.js';
import { findRestoreSession, restoreLocks } from './restoreSessions.js';
import type { Tools } from '../../process/tools.js';

type RestoreTools = {
  readonly program: string;
  readonly tools: Tools;
  readonly conversations: Conversations;
};

/**
 * The settings that a dump needs in the session of a person who restores by hand. Our own session knows the server and
 * sets more (serverSettings.ts).
 */
const sessionSettings = 'SET SESSION check_constraint_checks=0, innodb_strict_mode=0, max_statement_time=0';

/**
 * - `--binary-mode`: line ends inside values stay, and no client command (`\!`) in a dump is obeyed;
 * - `--comments`: comments in routines stay;
 */
const keepingAll = ({ characterSet = 'utf8mb4' }: PartSpec) => [
  `--default-character-set=${characterSet}`,
  '--binary-mode',
  '--comments',
];

/** Starts the mariadb client. It stops at the first error. */
export async function startMariadbRestore(
  target: ServiceConnection,
  { server, found }: Pick<Session, 'server' | 'found'>,
  { program, tools, conversations }: RestoreTools,
  part: PartSpec,
  source: RestoreSource,
  context: RestoreContext,
): Promise<RunningRestore> {
  const files = createToolFiles(context.workFolder);
  const optionFile = await addOptionFile(target, server, files, program);
  const ended = new AbortController();
  const problems = toolProblems('RESTORE', (line) => /error/i.test(line), anotherRuns);
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
        `--init-command=SET SESSION ${restoreAssignments(found, source.inventory.settings)}, ${takeLocks(source)}`,
      ],
      files,
      environment: pinnedName(target, server, files),
      secrets: target.password === null ? [] : [target.password],
      filter: mariadbOutput([anotherRuns]),
      onLine: problems.onLine,
    },
    { ...context, tools, signal: AbortSignal.any([context.signal, ended.signal]) },
  );
  let busy: StowageError | undefined;
  const tool = {
    ...{ connection: target, server, conversations, pid: running.pid, uid: running.uid },
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
      const failure = judgeRestore(end, () => toolFailed(end.tool, problems.found));
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
export function mariadbRestoreByHand(part: PartSpec): string {
  return `mariadb ${keepingAll(part).join(' ')} --init-command='${sessionSettings}'`;
}

/** Older clients were not tested. */
export const mariadbRestoreByHandNeeds =
  'the client of MariaDB 10.2.11 or newer (mariadb; before 10.4.6 it is called mysql)';

/** The first error of the client is the cause. */
function toolFailed(tool: ToolEnd, problems: readonly ToolProblem[]): StowageError | null {
  if (endedWell(tool)) return null;
  if (problems.some(({ isMarked }) => isMarked)) {
    return new StowageError('TARGET_EXISTS', 'Another restore has begun to create a database of the same name.', {
      help: 'No statement of this restore ran. Wait until the other restore has ended, and check what it has created.',
    });
  }
  const first = problems.find(({ number }) => number !== undefined) ?? problems[0];
  const ended = `The mariadb client ${howItEnded(tool)}`;
  const sentence = asSentence(first === undefined ? ended : `${ended}: ${first.line}`);
  const [, statement] = /^Failed statement: (?!not shown)(.+)$/m.exec(tool.lastLines) ?? [];
  const message = statement === undefined ? sentence : `${sentence} The statement was ${asSentence(statement)}`;
  return new StowageError(first?.code ?? 'TOOL_FAILED', message, { ...toolOutput(tool), ...first?.wayOut });
}
