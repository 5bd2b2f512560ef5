import { StowageError } from '../../../errors.js';
import { asSentence } from '../../asSentence.js';
import { openDumpPipeline, type DumpPipeline } from '../../pipeline/dumpPipeline.js';
import { judgeDump } from '../../pipeline/judgePipeline.js';
import type { PipelineEnd } from '../../pipeline/runningPipeline.js';
import type { PartSpec } from '../../preflightReport.js';
import { endedWell, howItEnded, type ToolEnd } from '../../process/toolEnd.js';
import { createToolFiles } from '../../process/toolFiles.js';
import { toolOutput } from '../../process/toolOutput.js';
import type { Tools } from '../../process/tools.js';
import type { DumpContext, DumpedTable, DumpEnd, PrepareDumpContext, RunningDump } from '../../runningDump.js';
import { hasOplog, type MongodbPreflight } from '../checks/preflight.js';
import { addConfigFile } from '../tools/configFile.js';
import { mongodbOutput } from '../tools/mongodbOutput.js';
import { toolEnvironment } from '../tools/toolEnvironment.js';
import { toolProblems, type ToolProblem } from '../tools/toolProblems.js';
import { archiveScanner, scannedArchive, type ScannedArchive } from './archiveScanner.js';

/** The pipeline that a dump writes to, and what its scanner has found so far. */
export type MongodbPipeline = DumpPipeline & { readonly scanned: () => ScannedArchive };

/** `databases`: everything of other databases is left out of the archive. */
export async function openMongodbPipeline(
  tools: Tools,
  databases: readonly string[],
  { workFolder, signal, steps }: Pick<PrepareDumpContext, 'workFolder' | 'signal' | 'steps'>,
): Promise<MongodbPipeline> {
  const scanned = scannedArchive();
  const pipeline = await openDumpPipeline({
    ...{ tools, workFolder, signal, steps },
    scanner: archiveScanner(databases),
    onFinding: scanned.add,
  });
  return { ...pipeline, scanned: scanned.result };
}

/** Starts mongodump for one part. */
export async function startMongodbDump(
  { member, address, tool }: MongodbPreflight,
  part: PartSpec,
  pipeline: MongodbPipeline,
  context: DumpContext,
): Promise<RunningDump> {
  const files = createToolFiles(context.workFolder);
  const configFile = addConfigFile(member, address, files, 'stowage-backup');
  const problems = toolProblems();
  const running = await pipeline.run(
    {
      program: tool.path,
      args: [`--config=${configFile}`, ...dumpArguments(part)],
      files,
      environment: toolEnvironment(member, address, files),
      secrets: member.password === null ? [] : [member.password],
      filter: mongodbOutput(),
      onLine: problems.onLine,
    },
    context,
  );
  return {
    stored: running.stored,
    readBytes: () => running.plainBytes(),
    ended: running.ended.then((end) => judge(end, part, pipeline.scanned(), problems.found)),
  };
}

/** Exported for tests. The name of a database is written after `=`, so that it is never read as an option. */
export function dumpArguments(part: Pick<PartSpec, 'databases'>): readonly string[] {
  const [database] = part.databases ?? [];
  return ['--archive', ...(database === undefined ? ['--oplog'] : [`--db=${database}`])];
}

function judge(end: PipelineEnd, part: PartSpec, scanned: ScannedArchive, problems: readonly ToolProblem[]): DumpEnd {
  const views = scanned.announced.filter(({ type }) => type === 'view');
  const largest = scanned.ended.reduce((most, { largestBytes }) => Math.max(most, largestBytes), 0);
  return {
    ...end.tool,
    sizeBytes: end.observer.total().written ?? 0,
    storedSizeBytes: end.steps.at(-1)?.step.total().written ?? 0,
    tables: dumpedTables(scanned),
    objects: {
      kinds: ['views'],
      found: views.map(({ database, collection }) => ({ database, kind: 'views', name: collection })),
      nameCase: 'DISTINCT',
    },
    longestStatementBytes: largest,
    failure: failureOf(end, part, scanned, problems),
  };
}

const bucketPrefix = 'system.buckets.';

/** Exported for tests. A time series is announced under its name. Up to MongoDB 8.2 its buckets have another name. */
export function dumpedTables({ announced, ended }: ScannedArchive): readonly DumpedTable[] {
  const types = new Map(announced.map((each) => [keyOf(each), each.type]));
  return ended.flatMap(({ database, collection, documents, sizeBytes, largestBytes }): readonly DumpedTable[] => {
    // The oplog belongs to no database.
    if (database === '' || types.get(keyOf({ database, collection })) === 'view') return [];
    const series = collection.startsWith(bucketPrefix) ? collection.slice(bucketPrefix.length) : undefined;
    const isSeries = types.get(keyOf({ database, collection: series ?? collection })) === 'timeseries';
    const name = isSeries ? (series ?? collection) : collection;
    return [{ database, name, rows: isSeries ? null : documents, sizeBytes, longestStatementBytes: largestBytes }];
  });
}

function failureOf(
  end: PipelineEnd,
  part: PartSpec,
  scanned: ScannedArchive,
  problems: readonly ToolProblem[],
): StowageError | null {
  const failure = judgeDump(end, 'mongodump', () =>
    endedWell(end.tool) ? null : toolFailed(`mongodump ${howItEnded(end.tool)}`, end.tool, problems),
  );
  if (failure !== null) return failure;
  const why = whyIncomplete(scanned, hasOplog(part));
  return why === undefined ? null : new StowageError('INCOMPLETE_DUMP', why, toolOutput(end.tool));
}

/**
 * Exported for tests. After some failures mongodump leaves an archive that mongorestore restores without an error.
 * Undefined: the archive is complete.
 */
export function whyIncomplete(scanned: ScannedArchive, withOplog: boolean): string | undefined {
  if (!scanned.isWhole) return 'The archive ends in the middle, or is not an archive of mongodump.';
  const ended = new Set(scanned.ended.map(keyOf));
  const missing = scanned.announced.filter(
    ({ database, collection }) =>
      !ended.has(keyOf({ database, collection })) &&
      !ended.has(keyOf({ database, collection: `${bucketPrefix}${collection}` })),
  );
  const [first] = missing;
  if (first !== undefined) {
    return `The archive announces '${first.database}.${first.collection}', and ends without the end of its documents.`;
  }
  if (withOplog && !ended.has(keyOf({ database: '', collection: 'oplog' })))
    return 'The archive ends without its oplog.';
  return undefined;
}

function keyOf({ database, collection }: { readonly database: string; readonly collection: string }): string {
  return JSON.stringify([database, collection]);
}

export function toolFailed(what: string, end: ToolEnd, problems: readonly ToolProblem[]): StowageError {
  const [first] = problems;
  if (first === undefined) return new StowageError('TOOL_FAILED', asSentence(what), toolOutput(end));
  const { line, code, ...way } = first;
  return new StowageError(code, asSentence(`${what}: ${line}`), { ...toolOutput(end), ...way });
}
