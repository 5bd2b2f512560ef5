import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { StowageError } from '../../../errors.js';
import { pipelinePrograms } from '../../pipeline/pipelinePrograms.js';
import { findClients } from '../../process/programs.js';
import { onlyVersions, programVersion, versionNumber, versionNumbers } from '../../process/programVersion.js';
import type { Tools, ToolVersions } from '../../process/tools.js';
import type { ToolReleases } from '../../toolNeed.js';

/** The tools of one version, which are in one folder. */
export type PostgresqlTools = {
  readonly major: number;
  /** For example "15.19". */
  readonly version: string;
  /** Absolute paths. */
  readonly dump: string;
  readonly dumpall: string;
  readonly restore: string;
};

/** An older pg_dump refuses a server, and an older pg_restore an archive. */
export const postgresqlReleases: ToolReleases = {
  tool: 'pg_dump',
  releases: ['12', '13', '14', '15', '16', '17', '18', '19', '20'],
};

const usualPlaces = [
  '/usr/lib/postgresql/*/bin',
  '/usr/pgsql-*/bin',
  '/opt/postgresql*/bin',
  '/usr/local/pgsql*/bin',
  '/opt/homebrew/opt/postgresql*/bin',
];

/** The tools of every installed version, the oldest first. Throws TOOL_MISSING, also for the programs of the pipeline. */
export async function findPostgresqlTools(tools: Tools, signal?: AbortSignal): Promise<readonly PostgresqlTools[]> {
  pipelinePrograms(tools);
  const found: PostgresqlTools[] = [];
  for (const dump of findClients('pg_dump', tools, usualPlaces)) {
    const all = toolsBeside(dump);
    if (all === undefined) continue;
    const version = versionNumber(await programVersion(dump, tools, signal));
    const major = Number(/^\d+/.exec(version)?.[0] ?? 0);
    if (!found.some((each) => each.version === version)) found.push({ major, version, ...all });
  }
  if (found.length === 0) {
    throw new StowageError('TOOL_MISSING', "The program 'pg_dump' is not installed on this worker.", {
      help: 'Install it on the worker, on Debian or Ubuntu with: apt-get install postgresql-client, or name its folder in STOWAGE_TOOLS.',
      details: { program: 'pg_dump', package: 'postgresql-client' },
    });
  }
  return found.sort((one, other) => one.version.localeCompare(other.version, 'en', { numeric: true }));
}

/** Debian's /usr/bin/pg_dump is a script that chooses a version by itself. The programs that it starts are used instead. */
function toolsBeside(dump: string): Pick<PostgresqlTools, 'dump' | 'dumpall' | 'restore'> | undefined {
  const program = realpathSync(dump);
  if (program.endsWith('/pg_wrapper')) return undefined;
  const folder = dirname(program);
  const beside = (name: string) =>
    findClients(name, { folders: [] }, [folder]).find((path) => dirname(path) === folder);
  const [dumpall, restore] = [beside('pg_dumpall'), beside('pg_restore')];
  return dumpall === undefined || restore === undefined
    ? undefined
    : { dump: join(folder, 'pg_dump'), dumpall, restore };
}

/** The versions of the tools, for the worker. */
export async function installedTools(tools: Tools): Promise<ToolVersions> {
  const versions = (await findPostgresqlTools(tools)).map(({ version }) => version);
  return {
    ...{ pg_dump: versions, pg_dumpall: versions, pg_restore: versions },
    ...onlyVersions(await versionNumbers(pipelinePrograms(tools), tools)),
  };
}

/**
 * The tools for a dump: those of the server's own major version, otherwise the next newer ones. An older pg_dump refuses the
 * server. Throws TOOL_VERSION.
 */
export function toolsForDump(
  all: readonly PostgresqlTools[],
  server: { readonly major: number; readonly text: string },
): PostgresqlTools {
  const own = all.findLast(({ major }) => major === server.major) ?? all.find(({ major }) => major > server.major);
  if (own !== undefined) return own;
  throw new StowageError(
    'TOOL_VERSION',
    `The server is PostgreSQL ${server.text}, and the newest pg_dump on this worker is ${all.at(-1)?.version ?? ''}.`,
    clientNeeded(server.major),
  );
}

/**
 * The tools for a restore: at least as new as the pg_dump that wrote the archive, because an older pg_restore cannot read
 * it. Of these, those of the target's own major version, otherwise the oldest. Throws TOOL_VERSION.
 */
export function toolsForRestore(
  all: readonly PostgresqlTools[],
  server: { readonly major: number },
  dumpVersion: string,
): PostgresqlTools {
  const archiveMajor = Number(/^\d+/.exec(dumpVersion)?.[0] ?? 0);
  const able = all.filter(({ major }) => major >= archiveMajor);
  const chosen = able.findLast(({ major }) => major === server.major) ?? able[0];
  if (chosen !== undefined) return chosen;
  throw new StowageError(
    'TOOL_VERSION',
    `pg_dump ${dumpVersion} wrote the backup, and the newest pg_restore on this worker is ${all.at(-1)?.version ?? ''}.`,
    clientNeeded(archiveMajor),
  );
}

function clientNeeded(major: number) {
  const name = `postgresql-client-${major}`;
  return {
    help:
      `Install the tools of PostgreSQL ${major} or later on the worker, on Debian or Ubuntu from apt.postgresql.org with: ` +
      `apt-get install ${name}, or name their folder in STOWAGE_TOOLS.`,
    details: { package: name, release: String(major) },
  };
}
