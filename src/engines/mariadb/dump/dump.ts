import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StowageError } from '../../../errors.js';
import { asSentence } from '../../asSentence.js';
import type { EngineContext } from '../../engineContext.js';
import type { PreflightReport } from '../../preflightReport.js';
import type { ToolEnd } from '../../process/runningTool.js';
import type { DumpContext, DumpEnd, RunningDump } from '../../runningDump.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { openDumpPipeline, type CompressedDumpEnd, type DumpPipeline } from '../../process/compressedDump.js';
import { endedWell, howItEnded, type PipelineEnd } from '../../process/pipelineEnd.js';
import { dumpScanner, scannedDump, scannedKinds, type ScannedDump } from './dumpScanner.js';
import { dumpsHistory } from '../catalog/history.js';
import { mariadbOutput } from '../tools/mariadbOutput.js';
import type { MariadbTools } from '../tools/mariadbTools.js';
import { writeOptionFile } from '../tools/optionFile.js';
import type { ServerAddress } from '../../network/serverAddress.js';
import { serializeProgramTexts, type ProgramText } from './programTexts.js';
import { loginWayOut } from '../errors/refusedLogin.js';
import { codeOfServerError, errorNumberIn, tellsOfChangedTable } from '../errors/serverErrors.js';
import { toolOutput } from '../tools/toolOutput.js';
import { watchToolLocks } from '../locks/toolLocks.js';
import { wayOut } from '../errors/wayOut.js';

/** What reads from mariadb-dump, before that runs. */
export type MariadbPipeline = DumpPipeline & { readonly scanned: () => ScannedDump };

export async function openMariadbPipeline(
  tools: MariadbTools,
  { workFolder, signal }: Pick<EngineContext, 'workFolder' | 'signal'>,
): Promise<MariadbPipeline> {
  const scanned = scannedDump();
  const reading = { scanner: dumpScanner(textsFile(workFolder)), onFinding: scanned.add };
  const pipeline = await openDumpPipeline(tools, { workFolder, signal, ...reading });
  return { ...pipeline, scanned: scanned.result };
}

/** Beside the pipeline, which is opened before the server has said what is in it. */
function textsFile(workFolder: string): string {
  return join(workFolder, 'program-texts');
}

/**
 * Starts mariadb-dump for all databases of the report, in one snapshot. What each option keeps is in
 * docs/decisions/0003-child-processes-for-dumps.md.
 */
export async function startMariadbDump(
  connection: ServiceConnection,
  server: ServerAddress,
  { report, texts }: { readonly report: PreflightReport; readonly texts: readonly ProgramText[] },
  tools: MariadbTools,
  pipeline: MariadbPipeline | undefined,
  context: DumpContext,
): Promise<RunningDump> {
  const optionFile = await writeOptionFile(connection, server, context.workFolder, tools.dump);
  await writeFile(textsFile(context.workFolder), serializeProgramTexts(texts), { mode: 0o600 });
  const problems: string[] = [];
  const readers = pipeline ?? (await openMariadbPipeline(tools, context));
  const ended = new AbortController();
  const running = await readers.run(
    {
      program: tools.dump,
      args: [`--defaults-file=${optionFile}`, ...dumpArguments(report)],
      secrets: connection.password === null ? [] : [connection.password],
      filter: mariadbOutput(),
      onLine: (line) => {
        if (problems.length < 10 && isProblem(line)) problems.push(line);
      },
    },
    { ...context, signal: AbortSignal.any([context.signal, ended.signal]) },
  );
  let busy: StowageError | undefined;
  const watch = watchToolLocks('The dump', { connection, server, pid: running.pid }, context, (error) => {
    busy = error;
    ended.abort(error);
  });
  return {
    compressed: running.compressed,
    readBytes: () => running.plainBytes(),
    ended: running.ended.then(async (end) => {
      const warnings = await watch.stop();
      const judged = judge(end, readers.scanned(), problems);
      // A tool that had ended well before it was to be ended has made a dump.
      return { ...judged, warnings, failure: judged.failure === null ? null : (busy ?? judged.failure) };
    }),
  };
}

/** Exported for tests. Databases come last, behind `--`: a name is never read as an option. */
export function dumpArguments(report: PreflightReport): readonly string[] {
  const characterSet = report.parts[0]?.characterSet ?? 'utf8mb4';
  const { databases } = report.inventory;
  const history = dumpsHistory(report.inventory) ? ['--dump-history'] : [];
  return [
    `--default-character-set=${characterSet}`,
    '--single-transaction',
    '--quick',
    '--routines',
    '--events',
    '--triggers',
    // A binary connection converts nothing, so binary values need not be written as hex, which doubles them.
    characterSet === 'binary' ? '--skip-hex-blob' : '--hex-blob',
    '--skip-add-locks',
    ...history,
    '--databases',
    '--',
    ...databases.map(({ name }) => name),
  ];
}

const completionLine = /^-- Dump completed\b[^\n]*\n*$/m;

function judge(end: CompressedDumpEnd, scanned: ScannedDump, problems: readonly string[]): DumpEnd {
  return {
    ...end.tool,
    sizeBytes: end.plain?.sizeBytes ?? 0,
    compressedSizeBytes: end.sizes?.compressedBytes ?? 0,
    tables: scanned.tables,
    objects: { kinds: scannedKinds, found: scanned.objects },
    longestStatementBytes: scanned.longestStatementBytes,
    failure: scanned.tooLong === undefined ? failureOf(end, problems) : tooLong(scanned.tooLong),
  };
}

/** Where a process dies, those before it fail to write and those after it see an early end: blame the last that failed. */
function failureOf(end: CompressedDumpEnd, problems: readonly string[]): StowageError | null {
  const { tool, observer, compressor, plain, sizes } = end;
  if (!endedWell(compressor)) return stepFailed('The compressor zstd', compressor);
  if (!endedWell(observer) || plain === undefined) return stepFailed('The process that counts the dump', observer);
  if (!endedWell(tool)) return toolFailed(`mariadb-dump ${howItEnded(tool)}`, tool, problems);
  if (problems.length > 0) return toolFailed('mariadb-dump reported an error', tool, problems);
  if (plain.sizeBytes === 0) {
    return new StowageError('EMPTY_DUMP', 'mariadb-dump wrote nothing at all.', {
      ...toolOutput(tool),
      help: 'Check that mariadb-dump on the worker is the one of MariaDB and runs by hand, then start the backup again.',
    });
  }
  if (sizes === undefined) {
    return new StowageError('TOOL_VERSION', 'The compressor zstd did not say how much it read and wrote.', {
      help: 'Install zstd 1.4 or newer on the worker.',
      toolOutput: compressor.lastLines,
    });
  }
  if (sizes.plainBytes !== plain.sizeBytes) {
    const lost = `${plain.sizeBytes} bytes were dumped and ${sizes.plainBytes} of them compressed.`;
    return new StowageError('INCOMPLETE_DUMP', lost, {
      help: 'It is tried again; if it recurs, check the zstd that is installed on the worker.',
      retriable: true,
    });
  }
  const complete = completionLine.test(plain.tail.slice(plain.tail.lastIndexOf('\n', plain.tail.length - 2) + 1));
  if (complete) return null;
  const sentence = 'The dump ends without the line that says it is complete.';
  return new StowageError('INCOMPLETE_DUMP', sentence, toolOutput(tool));
}

function tooLong({ database, name }: { readonly database: string; readonly name: string }): StowageError {
  return new StowageError(
    'TOOL_FAILED',
    `A row of the table '${database}.${name}' takes more than 1 GiB in a dump, and no server accepts a statement of that size.`,
    {
      help: 'Split the value over several rows, or keep it outside of the database; then start the backup again.',
      details: { database, table: name },
    },
  );
}

function stepFailed(what: string, end: PipelineEnd['tool']): StowageError {
  return new StowageError('TOOL_FAILED', `${what} ${howItEnded(end)}.`, toolOutput(end));
}

function toolFailed(what: string, end: ToolEnd, problems: readonly string[]): StowageError {
  // Of a table that is gone its first line says only that there is no information about it.
  const numbered = problems.find((line) => errorNumberIn(line) !== undefined);
  if (numbered !== undefined && tellsOfChangedTable(errorNumberIn(numbered)))
    return tableChanged(numbered, end.lastLines);
  const first = numbered ?? problems[0];
  const number = first === undefined ? undefined : errorNumberIn(first);
  const code = number === undefined ? 'TOOL_FAILED' : codeOfServerError(number);
  const sentence = asSentence(first === undefined ? what : `${what}: ${first}`);
  return new StowageError(code, sentence, {
    ...toolOutput(end),
    ...wayOut(number, 'DUMP'),
    ...loginWayOut(number, first),
  });
}

function tableChanged(line: string, lastLines: string): StowageError {
  return new StowageError('TOOL_FAILED', asSentence(`A table was dropped or altered while it was dumped: ${line}`), {
    help:
      'The backup is tried again. If it recurs, back up at a time when nobody drops, rebuilds or truncates tables, or keep ' +
      'tables that come and go in a database that the service does not name.',
    retriable: true,
    toolOutput: lastLines,
  });
}

/** mariadb-dump ends some failures with exit code 0; what is not plainly a warning counts. */
function isProblem(line: string): boolean {
  if (/^(\S+: )?(-- )?(warning|note|info)\b/i.test(line)) return false;
  return /error|couldn't|could not|cannot|can't|failed|denied|lost connection|gone away|unknown/i.test(line);
}
