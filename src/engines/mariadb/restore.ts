import { StowageError } from '../../errors.js';
import type { EngineContext, RunningRestore, ServiceConnection, ToolEnd } from '../engine.js';
import { startCompressedRestore } from '../process/compressedRestore.js';
import { endedWell, howItEnded, type PipelineEnd } from '../process/pipelineEnd.js';
import type { MariadbTools } from './mariadbTools.js';
import { writeOptionFile } from './optionFile.js';
import { restoreLock } from './restoreSessions.js';
import type { ServerAddress } from './serverAddress.js';

/**
 * What a dump needs of the session that reads it: rows that violate a CHECK come back as they were, and an hour-long
 * statement is not cut.
 */
const sessionSettings = 'SET SESSION check_constraint_checks=0, max_statement_time=0';

/**
 * - `--binary-mode`: line ends inside values stay, and no client command (`\!`) in a dump is obeyed;
 * - `--comments`: comments in routines stay;
 */
const keepingAll = ['--default-character-set=utf8mb4', '--binary-mode', '--comments'];

/** Starts the mariadb client. It stops at the first error. */
export async function startMariadbRestore(
  target: ServiceConnection,
  server: ServerAddress,
  tools: MariadbTools,
  context: EngineContext,
): Promise<RunningRestore> {
  const optionFile = await writeOptionFile(target, server, context.workFolder);
  const running = await startCompressedRestore(
    {
      program: tools.client,
      args: [
        `--defaults-file=${optionFile}`,
        ...keepingAll,
        '--batch',
        '--skip-reconnect',
        '--local-infile=0',
        '--connect-timeout=10',
        `--init-command=${sessionSettings}, ${takeLock(target)}`,
      ],
      secrets: target.password === null ? [] : [target.password],
    },
    tools,
    context,
  );
  return { compressed: running.compressed, ended: running.ended.then(judge) };
}

/**
 * The lock is held as long as the session lives, which is how it is found (restoreSessions.ts). Where another restore
 * has it the login fails, with the words that are no SQL mode in its error.
 */
function takeLock(target: ServiceConnection): string {
  return `sql_mode=IF(GET_LOCK('${restoreLock(target)}', 0), @@sql_mode, 'another restore is running')`;
}

/** The line for a shell; connection options (`--host=… --user=… --password`) go at its end. */
export function mariadbRestoreByHand(download: string): string {
  return `${download} | zstd -d | mariadb ${keepingAll.join(' ')} --init-command='${sessionSettings}'`;
}

function judge(end: PipelineEnd): ToolEnd & { failure: StowageError | null } {
  return { ...end.tool, failure: failureOf(end) };
}

/** The client's first error is the story; where it says nothing, what reached it was too short. */
function failureOf({ tool, observer, compressor, plain }: PipelineEnd): StowageError | null {
  if (!endedWell(tool)) {
    const first = tool.lastLines.split('\n').find((line) => /error/i.test(line)) ?? '';
    const said = first === '' ? '.' : `: ${first}`;
    return new StowageError('TOOL_FAILED', `The mariadb client ${howItEnded(tool)}${said}`, {
      toolOutput: tool.lastLines,
    });
  }
  if (!endedWell(compressor)) {
    return new StowageError('TOOL_FAILED', `The decompressor zstd ${howItEnded(compressor)}.`, {
      toolOutput: compressor.lastLines,
    });
  }
  if (!endedWell(observer) || plain === undefined) {
    return new StowageError('TOOL_FAILED', `The process that counts the dump ${howItEnded(observer)}.`, {
      toolOutput: observer.lastLines,
    });
  }
  if (plain.sizeBytes > 0) return null;
  return new StowageError('TOOL_FAILED', 'The restore did nothing: no statement reached the server.');
}
