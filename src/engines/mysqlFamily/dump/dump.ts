import { StowageError } from '../../../errors.js';
import { asSentence } from '../../asSentence.js';
import { openDumpPipeline, type DumpPipeline } from '../../pipeline/dumpPipeline.js';
import { judgeDump } from '../../pipeline/judgePipeline.js';
import type { PipelineEnd } from '../../pipeline/runningPipeline.js';
import { endedWell, howItEnded, type ToolEnd } from '../../process/toolEnd.js';
import { createToolFiles } from '../../process/toolFiles.js';
import { toolOutput } from '../../process/toolOutput.js';
import type { DumpContext, DumpEnd, PrepareDumpContext, RunningDump } from '../../runningDump.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import type { FamilyPreflight, FamilySettings } from '../checks/preflight.js';
import { isChangedTable } from '../errors/serverErrors.js';
import { watchToolLocks } from '../locks/toolLocks.js';
import { toolMessages } from '../tools/toolMessages.js';
import { pinnedName } from '../../network/pinnedName.js';
import { addOptionFile } from '../tools/optionFile.js';
import { toolProblems, type ToolProblem } from '../tools/toolProblems.js';
import { dumpScanner, scannedDump, scannedKinds, type ScannedDump } from './dumpScanner.js';
import { serializeForScanner } from './programTexts.js';

/** The pipeline that a dump writes to, and what its scanner has found so far. */
export type ScannedPipeline = DumpPipeline & { readonly scanned: () => ScannedDump };

export async function openScannedPipeline(
  { tools, dialect }: Pick<FamilySettings, 'tools' | 'dialect'>,
  { workFolder, signal, steps }: Pick<PrepareDumpContext, 'workFolder' | 'signal' | 'steps'>,
): Promise<ScannedPipeline> {
  const scanned = scannedDump();
  const pipeline = await openDumpPipeline({
    ...{ tools, workFolder, signal, steps },
    scanner: dumpScanner(dialect.oneRowBytes),
    onFinding: scanned.add,
  });
  return { ...pipeline, scanned: scanned.result };
}

/**
 * Starts the dump tool for all databases of the report, in one snapshot.
 * docs/decisions/0003-child-processes-for-dumps.md documents the purpose of each option.
 */
export async function startFamilyDump(
  connection: ServiceConnection,
  { report, server, texts, lastStatements, rowModes, tableStatements, program }: FamilyPreflight,
  { conversations, dialect }: Pick<FamilySettings, 'conversations' | 'dialect'>,
  pipeline: ScannedPipeline,
  context: DumpContext,
): Promise<RunningDump> {
  const files = createToolFiles(context.workFolder);
  const optionFile = await addOptionFile(connection, server, files, { program, dialect });
  const problems = toolProblems(dialect.product, 'DUMP', isProblem);
  const ended = new AbortController();
  const running = await pipeline.run(
    {
      program,
      args: [`--defaults-file=${optionFile}`, ...dialect.dumpArguments(report)],
      files,
      environment: pinnedName(connection, server, files),
      secrets: connection.password === null ? [] : [connection.password],
      filter: toolMessages(),
      onLine: problems.onLine,
    },
    {
      ...context,
      signal: AbortSignal.any([context.signal, ended.signal]),
      notes: serializeForScanner(texts, report.inventory, lastStatements, rowModes, tableStatements),
    },
  );
  let busy: StowageError | undefined;
  const tool = { connection, server, conversations, dialect, pid: running.pid, uid: running.uid };
  const watch = watchToolLocks('The dump', tool, context, (error) => {
    busy = error;
    ended.abort(error);
  });
  return {
    stored: running.stored,
    readBytes: () => running.plainBytes(),
    ended: running.ended.then(async (end) => {
      const warnings = await watch.stop();
      const judged = judge(dialect.dumpTool, end, pipeline.scanned(), problems.found);
      // If the tool had already succeeded before it was to be ended, its dump is complete.
      return { ...judged, warnings, failure: judged.failure === null ? null : (busy ?? judged.failure) };
    }),
  };
}

function judge(dumpTool: string, end: PipelineEnd, scanned: ScannedDump, problems: readonly ToolProblem[]): DumpEnd {
  const { tables } = scanned;
  return {
    ...end.tool,
    sizeBytes: end.observer.total().written ?? 0,
    storedSizeBytes: end.steps.at(-1)?.step.total().written ?? 0,
    tables,
    objects: {
      kinds: scannedKinds,
      // A mariadb-dump without support for sequences dumps them as tables.
      found: [...scanned.objects, ...tables.map(({ database, name }) => ({ database, kind: 'sequences', name }))],
      // A dump contains the name of a trigger in its original spelling. The server may list it in lower case.
      nameCase: 'FOLDED',
    },
    longestStatementBytes: scanned.longestStatementBytes,
    failure: scanned.tooLong === undefined ? failureOf(dumpTool, end, problems) : tooLong(scanned.tooLong),
  };
}

function failureOf(dumpTool: string, end: PipelineEnd, problems: readonly ToolProblem[]): StowageError | null {
  const failure = judgeDump(end, dumpTool, () => {
    if (!endedWell(end.tool)) return toolFailed(`${dumpTool} ${howItEnded(end.tool)}`, end.tool, problems);
    return problems.length === 0 ? null : toolFailed(`${dumpTool} reported an error`, end.tool, problems);
  });
  if (failure !== null || isComplete(end.observer.tail())) return failure;
  const sentence = 'The dump ends without its completion line.';
  return new StowageError('INCOMPLETE_DUMP', sentence, toolOutput(end.tool));
}

function isComplete(tail: string): boolean {
  return /^-- Dump completed\b[^\n]*\n*$/m.test(tail.slice(tail.lastIndexOf('\n', tail.length - 2) + 1));
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

function toolFailed(what: string, end: ToolEnd, problems: readonly ToolProblem[]): StowageError {
  // If a table no longer exists, its first line only reports that there is no information about it.
  const numbered = problems.find(({ number }) => number !== undefined);
  if (numbered !== undefined && isChangedTable(numbered.number)) return tableChanged(numbered.line, end.lastLines);
  const first = numbered ?? problems[0];
  if (first === undefined) return new StowageError('TOOL_FAILED', asSentence(what), toolOutput(end));
  const { code, line, wayOut } = first;
  return new StowageError(code, asSentence(`${what}: ${line}`), { ...toolOutput(end), ...wayOut });
}

function tableChanged(line: string, lastLines: string): StowageError {
  return new StowageError('TOOL_FAILED', asSentence(`A table was dropped or altered while it was dumped: ${line}`), {
    help:
      'The backup is tried again. If it recurs, back up at a time when nobody drops, rebuilds or truncates tables, or keep ' +
      'temporary tables in a database that the service does not name.',
    retriable: true,
    toolOutput: lastLines,
  });
}

/**
 * After some failures the dump tool has exit code 0. So every line counts as an error, unless it is clearly a warning.
 */
function isProblem(line: string): boolean {
  if (/^(\S+: )?(-- )?(warning|note|info)\b/i.test(line)) return false;
  return /error|couldn't|could not|cannot|can't|failed|denied|lost connection|gone away|unknown/i.test(line);
}
