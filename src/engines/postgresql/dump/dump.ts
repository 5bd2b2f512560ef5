import { StowageError } from '../../../errors.js';
import { asSentence } from '../../asSentence.js';
import { openDumpPipeline } from '../../pipeline/dumpPipeline.js';
import { judgeDump } from '../../pipeline/judgePipeline.js';
import type { PipelineTool } from '../../pipeline/runningPipeline.js';
import type { PartSpec } from '../../preflightReport.js';
import { endedWell, howItEnded, type ToolEnd } from '../../process/toolEnd.js';
import { createToolFiles } from '../../process/toolFiles.js';
import { toolOutput } from '../../process/toolOutput.js';
import type { DumpContext, PrepareDumpContext, RunningDump } from '../../runningDump.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import type { PostgresqlPreflight } from '../checks/preflight.js';
import { watchToolLocks } from '../locks/watchToolLocks.js';
import { archivedKey, qualifiedName } from '../catalog/names.js';
import type { PostgresqlSettings } from '../settings.js';
import { postgresqlOutput } from '../tools/postgresqlOutput.js';
import type { PostgresqlTools } from '../tools/postgresqlTools.js';
import { addServiceFile, serviceArgument } from '../tools/serviceFile.js';
import { toolProblem } from '../tools/toolProblem.js';
import { archiveScanner, scannedArchive, type ScannedArchive } from './archiveScanner.js';

/** How long pg_dump waits for locks, if the caller sets no limit. */
const longestLockWaitMs = 10 * 60_000;

/** Starts pg_dump for one database, or pg_dumpall for the globals. */
export async function startPostgresqlDump(
  connection: ServiceConnection,
  preflight: PostgresqlPreflight,
  settings: PostgresqlSettings,
  part: PartSpec,
  prepared: PrepareDumpContext,
  context: DumpContext,
): Promise<RunningDump> {
  const database = part.databases?.[0];
  const applicationName = `stowage-dump-${crypto.randomUUID()}`;
  const names = preflight.archivedNames.get(database ?? '');
  const scanned = scannedArchive(
    database ?? '',
    (schema, table) => names?.get(archivedKey(schema, table)) ?? qualifiedName(schema.toString(), table.toString()),
  );
  // This refuses a login that the tool cannot receive, before any process waits for the tool.
  const tool = dumpTool(connection, preflight, { database, applicationName, context });
  const pipeline = await openDumpPipeline({
    ...{ tools: settings.tools, workFolder: prepared.workFolder, signal: prepared.signal, steps: prepared.steps },
    ...(database === undefined ? {} : { scanner: archiveScanner, onFinding: scanned.add }),
  });
  const ended = new AbortController();
  const lines: string[] = [];
  const running = await pipeline.run(
    { ...tool, onLine: (line) => (lines.length < 20 ? lines.push(line) : undefined) },
    { ...context, signal: AbortSignal.any([context.signal, ended.signal]) },
  );
  let busy: StowageError | undefined;
  const watch = watchToolLocks(
    'The dump',
    connection,
    preflight.server,
    { ...settings, applicationName, ...(database === undefined ? {} : { database }) },
    context,
    (error) => {
      busy = error;
      ended.abort(error);
    },
  );
  return {
    stored: running.stored,
    readBytes: () => running.plainBytes(),
    ended: running.ended.then(async (end) => {
      const watched = await watch.stop();
      const found = scanned.result();
      const failure =
        judgeDump(end, tool.name, () => toolFailure(tool.name, end.tool, lines, watched.lastWait)) ??
        (database === undefined ? null : incomplete(found, preflight.tools, end.tool));
      return {
        ...end.tool,
        lastLines: withoutHarmless(end.tool.lastLines),
        sizeBytes: end.observer.total().written ?? 0,
        storedSizeBytes: end.steps.at(-1)?.step.total().written ?? 0,
        ...(database === undefined ? {} : { tables: found.tables }),
        warnings: watched.warnings,
        // If the tool had already succeeded before it was to be ended, its dump is complete.
        failure: failure === null ? null : (busy ?? failure),
      };
    }),
  };
}

function dumpTool(
  connection: ServiceConnection,
  { server, tools, ...preflight }: PostgresqlPreflight,
  of: { readonly database: string | undefined; readonly applicationName: string; readonly context: DumpContext },
): PipelineTool & { readonly name: string } {
  const { database, applicationName } = of;
  const files = createToolFiles(of.context.workFolder);
  const lockWaitMs = Math.floor(Math.min(longestLockWaitMs, of.context.lockWaitMs ?? longestLockWaitMs));
  const common = {
    files,
    environment: addServiceFile(connection, server, files, {
      database: database ?? preflight.database,
      ...{ applicationName, major: preflight.major },
    }),
    secrets: connection.password === null ? [] : [connection.password],
    filter: postgresqlOutput(),
  };
  const dbname = `--dbname=${serviceArgument}`;
  return database === undefined
    ? {
        ...common,
        name: 'pg_dumpall',
        program: tools.dumpall,
        args: [
          ...[dbname, '--no-password', ...globalsArguments[preflight.globals], ...firstDatabase(preflight.database)],
          `--lock-wait-timeout=${lockWaitMs}`,
        ],
      }
    : {
        ...common,
        name: 'pg_dump',
        program: tools.dump,
        // Our own step compresses.
        args: [dbname, '--no-password', '--format=custom', '--compress=0', `--lock-wait-timeout=${lockWaitMs}`],
      };
}

const globalsArguments: Readonly<Record<PostgresqlPreflight['globals'], readonly string[]>> = {
  TABLESPACES: ['--tablespaces-only'],
  ROLES: ['--globals-only', '--no-role-passwords'],
  ROLES_WITH_HASHES: ['--globals-only'],
};

/**
 * pg_dumpall ignores the database of `--dbname`, and connects to `postgres` or `template1`. It reads a name with these
 * characters as a connection string.
 */
function firstDatabase(name: string): readonly string[] {
  return /[=:]/.test(name) ? [] : [`--database=${name}`];
}

function incomplete(found: ScannedArchive, { version }: PostgresqlTools, end: ToolEnd): StowageError | null {
  if (found.isComplete) return null;
  if (found.isUnknown) {
    return new StowageError(
      'TOOL_VERSION',
      `pg_dump ${version} wrote an archive of a form that Stowage does not know, so the backup could not be checked.`,
      {
        ...toolOutput(end),
        help: 'Update Stowage, or install the tools of a PostgreSQL up to version 18 on the worker, of which one fits the server.',
      },
    );
  }
  return new StowageError('INCOMPLETE_DUMP', 'The archive of pg_dump ends in the middle.', toolOutput(end));
}

/** A restore with all sections restores these keys after all rows, so the advice of pg_dump does not apply. */
function withoutHarmless(lines: string): string {
  const isAdvice = (line: string) => /there are circular foreign-key|^pg_dump: (?:detail|hint): /.test(line);
  return lines
    .split('\n')
    .filter((line) => !isAdvice(line))
    .join('\n');
}

function toolFailure(
  name: string,
  end: ToolEnd,
  lines: readonly string[],
  lastWait: StowageError | undefined,
): StowageError | null {
  if (endedWell(end)) return null;
  const problem = toolProblem(lines, 'DUMP');
  if (problem === undefined) return new StowageError('TOOL_FAILED', `${name} ${howItEnded(end)}.`, toolOutput(end));
  if (problem.code === 'SERVICE_BUSY' && lastWait !== undefined) return lastWait;
  return new StowageError(problem.code, asSentence(`${name} ${howItEnded(end)}: ${problem.sentence}`), {
    ...toolOutput(end),
    ...problem.wayOut,
  });
}
