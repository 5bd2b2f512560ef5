import { createHash } from 'node:crypto';
import { StowageError } from '../../../errors.js';
import { asSentence } from '../../asSentence.js';
import { judgeRestore } from '../../pipeline/judgePipeline.js';
import { startRestorePipeline } from '../../pipeline/restorePipeline.js';
import type { PipelineEnd } from '../../pipeline/runningPipeline.js';
import type { PartSpec } from '../../preflightReport.js';
import { endedWell, howItEnded } from '../../process/toolEnd.js';
import { createToolFiles } from '../../process/toolFiles.js';
import { toolOutput } from '../../process/toolOutput.js';
import type { RestoreContext, RestoreSource, RunningRestore } from '../../runningRestore.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { openSessionAt, withSession, type Session, type SessionOptions } from '../session/session.js';
import type { PostgresqlSettings } from '../settings.js';
import { postgresqlOutput } from '../tools/postgresqlOutput.js';
import { findPostgresqlTools, toolsForRestore } from '../tools/postgresqlTools.js';
import { addServiceFile, serviceArgument, valueSettings } from '../tools/serviceFile.js';
import { toolProblem } from '../tools/toolProblem.js';
import { analyze } from './analyze.js';
import { readSettings, settingsScanner } from './archivedSettings.js';
import { createDatabase, finishDatabase } from './createDatabase.js';
import { hasEventTriggers, withoutEventTriggers } from './eventTriggers.js';
import { followErrors, sectionOf } from './harmlessErrors.js';
import { createRoles, joinOwners, missingRoles, owningRoles } from './roles.js';

/** The name that all sessions of a restore have, so that they are found again. */
export function applicationNameOf(restoreId: string): string {
  return `stowage-restore-${createHash('sha256').update(restoreId).digest('hex').slice(0, 20)}`;
}

export const postgresqlRestoreByHand = `PGOPTIONS='${valueSettings.map((each) => `-c ${each}`).join(' ')}' pg_restore --create --exit-on-error`;
export const postgresqlRestoreByHandNeeds =
  'pg_restore of PostgreSQL, at least of the version that wrote the part, with the roles of the part globals on the target';

/**
 * Creates missing roles and the database, then starts pg_restore, which reads the archive once, in the order of its
 * sections (docs/decisions/0010-one-pg-restore-for-all-sections.md).
 */
export async function startPostgresqlRestore(
  target: ServiceConnection,
  settings: PostgresqlSettings,
  part: PartSpec,
  source: RestoreSource,
  context: RestoreContext,
): Promise<RunningRestore> {
  const name = part.databases?.[0] ?? '';
  const properties = source.inventory.databases.find((each) => each.name === name)?.properties;
  if (properties === undefined)
    throw new StowageError('TOOL_FAILED', `The backup does not describe the database '${name}'.`);
  const applicationName = applicationNameOf(source.restoreId);
  const session = { ...settings, ...context, applicationName };
  const first = await withSession(target, session, undefined, async (each) => {
    const { server, version, database } = each;
    const installed = await findPostgresqlTools(settings.tools, context.signal);
    const written = part.tool?.version ?? source.inventory.toolVersion;
    const { restore: program } = toolsForRestore(installed, version, written);
    const quiet = hasEventTriggers(source.inventory, name) ? await withoutEventTriggers(each) : [];
    return { server, database, program, major: version.major, quiet };
  });
  const files = createToolFiles(context.workFolder);
  const ending = new AbortController();
  const lines: string[] = [];
  let failedEntry: string | undefined;
  const archivedProperties: string[] = [];
  const errors = followErrors((entry) => {
    failedEntry = entry;
    ending.abort(new Error('The restore has failed.'));
  });
  const running = await startRestorePipeline(
    {
      program: first.program,
      // Only with --verbose it prints the entry of the archive before an error.
      args: [`--dbname=${serviceArgument}`, '--no-password', '--verbose'],
      files,
      environment: addServiceFile(target, first.server, files, {
        ...{ database: name, applicationName, major: first.major, settings: first.quiet },
      }),
      secrets: target.password === null ? [] : [target.password],
      filter: postgresqlOutput(),
      onLine: (line) => {
        if (lines.length < 50) lines.push(line);
        errors.onLine(line);
      },
    },
    {
      ...{ workFolder: context.workFolder, tools: settings.tools, steps: context.steps },
      ...{ scanner: settingsScanner, onFinding: (hex: string) => archivedProperties.push(hex) },
      signal: AbortSignal.any([context.signal, ending.signal]),
      mayStart: async () => {
        await context.mayStart?.();
        const created = await openSessionAt(target, [first.server], session, first.database);
        await inSession(created, async (each) => {
          await createRoles(each, await missingRoles(each, source.inventory));
          await joinOwners(each, owningRoles(source.inventory));
          await createDatabase(each, name, properties);
        });
      },
    },
  );
  return {
    stored: running.stored,
    writtenBytes: () => running.plainBytes(),
    ended: running.ended.then(async (end) => {
      const failure = judge(end, lines, failedEntry, errors.areAllHarmless());
      if (failure !== null) return { ...end.tool, failure };
      const last = await afterwards(target, first.server, session, { name, properties, archived: archivedProperties });
      return { ...end.tool, failure: last };
    }),
  };
}

async function inSession(session: Session, work: (session: Session) => Promise<void>): Promise<void> {
  try {
    await work(session);
  } finally {
    session.close();
  }
}

/**
 * The planner needs statistics, which an archive does not hold. Settings of the database are stored in its own encoding, so
 * the statements run in the database itself.
 */
async function afterwards(
  target: ServiceConnection,
  server: Session['server'],
  options: SessionOptions,
  restored: {
    readonly name: string;
    readonly properties: Readonly<Record<string, string>>;
    /** What `settingsScanner` reported. */
    readonly archived: readonly string[];
  },
): Promise<Error | null> {
  const { name, properties, archived } = restored;
  try {
    await inSession(await openSessionAt(target, [server], options, name), async (session) => {
      await analyze(session);
      const settings = await readSettings(session, archived, properties['encoding'] ?? 'UTF8');
      // The server compares its bytes, which another encoding shows as another text.
      const [row] = await session.query('SELECT current_database() AS name');
      await finishDatabase(session, row?.['name'] ?? name, properties, settings);
    });
    return null;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function judge(
  end: PipelineEnd,
  lines: readonly string[],
  failedEntry: string | undefined,
  areAllHarmless: boolean,
): StowageError | null {
  return judgeRestore(end, () => {
    if (failedEntry === undefined && (endedWell(end.tool) || (end.tool.exitCode === 1 && areAllHarmless))) return null;
    const problem = toolProblem(lines, 'RESTORE');
    const options = { ...toolOutput(end.tool), ...problem?.wayOut };
    if (problem === undefined) return new StowageError('TOOL_FAILED', `pg_restore ${howItEnded(end.tool)}.`, options);
    const help = isRefresh(failedEntry) ? { help: failedRefresh } : {};
    const where =
      failedEntry === undefined || failedEntry === 'INITIALIZING'
        ? ''
        : ` in the section ${sectionOf(failedEntry)}, at ${objectOf(failedEntry)}`;
    return new StowageError(problem.code, asSentence(`pg_restore failed${where}: ${problem.sentence}`), {
      ...options,
      ...help,
    });
  });
}

/** An archive has no rows of a materialized view, so pg_restore runs its query, after all rows of tables. */
function isRefresh(entry: string | undefined): boolean {
  return entry !== undefined && objectOf(entry).startsWith('MATERIALIZED VIEW DATA ');
}

const failedRefresh =
  'The query of this materialized view fails with the rows of the backup. REFRESH MATERIALIZED VIEW shows this at the source too. Correct the view or the rows there, or drop the view, and take a new backup. The tables of the restored database have all rows; its settings and privileges are not set yet.';

/** "TABLE public orders admin" of "215; 1259 16385 TABLE public orders admin". */
function objectOf(entry: string): string {
  return entry.replace(/^\d+; \d+ \d+ /, '');
}
