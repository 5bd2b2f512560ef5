import { StowageError } from '../../../errors.js';
import { asSentence } from '../../asSentence.js';
import type { PartSpec } from '../../preflightReport.js';
import type { ToolEnd } from '../../process/runningTool.js';
import type { RestoreContext, RestoreSource, RunningRestore } from '../../runningRestore.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { startCompressedRestore } from '../../process/compressedRestore.js';
import { endedWell, howItEnded, type PipelineEnd } from '../../process/pipelineEnd.js';
import { mariadbOutput } from '../tools/mariadbOutput.js';
import type { MariadbTools } from '../tools/mariadbTools.js';
import { writeOptionFile } from '../tools/optionFile.js';
import { findRestoreSession, restoreLocks } from './restoreSessions.js';
import { loginWayOut } from '../errors/refusedLogin.js';
import { codeOfServerError, errorNumberIn } from '../errors/serverErrors.js';
import { restoreAssignments } from '../session/serverSettings.js';
import type { Session } from '../session/session.js';
import { watchToolLocks } from '../locks/toolLocks.js';
import { toolOutput } from '../tools/toolOutput.js';
import { wayOut } from '../errors/wayOut.js';

/** What a dump needs of the session of a person who reads it; ours knows the server and sets more (serverSettings.ts). */
const sessionSettings = 'SET SESSION check_constraint_checks=0, max_statement_time=0';

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
  tools: MariadbTools,
  part: PartSpec,
  source: RestoreSource,
  context: RestoreContext,
): Promise<RunningRestore> {
  const optionFile = await writeOptionFile(target, server, context.workFolder, tools.client);
  const ended = new AbortController();
  const running = await startCompressedRestore(
    {
      program: tools.client,
      args: [
        `--defaults-file=${optionFile}`,
        ...keepingAll(part),
        '--batch',
        '--skip-reconnect',
        '--local-infile=0',
        '--connect-timeout=10',
        `--init-command=SET SESSION ${restoreAssignments(found, source.inventory.settings)}, ${takeLocks(source)}`,
      ],
      secrets: target.password === null ? [] : [target.password],
      filter: mariadbOutput([anotherRuns]),
    },
    tools,
    { ...context, signal: AbortSignal.any([context.signal, ended.signal]) },
  );
  let busy: StowageError | undefined;
  const tool = {
    ...{ connection: target, server, pid: running.pid },
    findTool: (session: Session) => findRestoreSession(session, source.restoreId),
    nextStep: 'Before restoring again, ',
  };
  const watch = watchToolLocks('The restore', tool, { ...context, lockPatienceMs: null }, (error) => {
    busy = error;
    ended.abort(error);
  });
  return {
    compressed: running.compressed,
    writtenBytes: () => running.plainBytes(),
    ended: running.ended.then(async (end) => {
      await watch.stop();
      const judged = judge(end);
      return { ...judged, failure: judged.failure === null ? null : (busy ?? judged.failure) };
    }),
  };
}

/**
 * The locks are held as long as the session lives (restoreSessions.ts). Where another restore has one of them the login
 * fails, with the words that are no SQL mode in its error.
 */
function takeLocks(source: RestoreSource): string {
  const taken = restoreLocks(source).map((name) => `GET_LOCK('${name}',0)`);
  return `sql_mode=IF(${taken.join(' AND ')}, @@sql_mode, '${anotherRuns}')`;
}

const anotherRuns = 'another restore is running';

/** The line for a shell; connection options (`--host=… --user=… --password`) go at its end. */
export function mariadbRestoreByHand(part: PartSpec, download: string): string {
  return `${download} | zstd -d | mariadb ${keepingAll(part).join(' ')} --init-command='${sessionSettings}'`;
}

/** Older clients were not tried; before 10.4.6 the program is called mysql. */
export const mariadbRestoreByHandNeeds =
  'zstd 1.4 or newer, and the client of MariaDB 10.2.11 or newer (mariadb; before 10.4.6 it is called mysql).';

function judge(end: PipelineEnd): ToolEnd & { failure: StowageError | null } {
  return { ...end.tool, failure: failureOf(end) };
}

/** The client's first error is the story; where it says nothing, what reached it was too short. */
function failureOf({ tool, observer, compressor, plain }: PipelineEnd): StowageError | null {
  if (!endedWell(tool)) {
    if (tool.lastLines.includes(`'${anotherRuns}'`)) {
      return new StowageError('TARGET_EXISTS', 'Another restore has begun to make a database of the same name.', {
        help: 'No statement of this restore ran. Wait until the other one has ended, and look at what it has made.',
      });
    }
    const lines = tool.lastLines.split('\n');
    const first = lines.find((line) => /^ERROR \d/.test(line)) ?? lines.find((line) => /error/i.test(line)) ?? '';
    const number = errorNumberIn(first);
    const code = number === undefined ? 'TOOL_FAILED' : codeOfServerError(number);
    const ended = `The mariadb client ${howItEnded(tool)}`;
    const sentence = asSentence(first === '' ? ended : `${ended}: ${first}`);
    const [, statement] = /^Failed statement: (?!not shown)(.+)$/m.exec(tool.lastLines) ?? [];
    const said = statement === undefined ? sentence : `${sentence} The statement was ${asSentence(statement)}`;
    return new StowageError(code, said, {
      ...toolOutput(tool),
      ...wayOut(number, 'RESTORE'),
      ...loginWayOut(number, first),
    });
  }
  if (!endedWell(compressor)) {
    return new StowageError('TOOL_FAILED', `The decompressor zstd ${howItEnded(compressor)}.`, toolOutput(compressor));
  }
  if (!endedWell(observer) || plain === undefined) {
    return new StowageError(
      'TOOL_FAILED',
      `The process that counts the dump ${howItEnded(observer)}.`,
      toolOutput(observer),
    );
  }
  if (plain.sizeBytes > 0) return null;
  return new StowageError('TOOL_FAILED', 'The restore did nothing: no statement reached the server.', {
    help: 'The tools said nothing of it: look into the log of the worker at that time, and try again.',
  });
}
