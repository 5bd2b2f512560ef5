import { dirname, join } from 'node:path';
import { StowageError } from '../../errors.js';
import type { FamilyTools } from '../mysqlFamily/dialect.js';
import { pipelinePrograms } from '../pipeline/pipelinePrograms.js';
import { programVersion, versionNumber, versionNumbers } from '../process/programVersion.js';
import { findClients, findProgram } from '../process/programs.js';
import type { Tools, ToolVersions } from '../process/tools.js';
import type { ToolReleases } from '../toolNeed.js';
import { mysqlRelease, mysqlReleaseName } from './mysqlReleases.js';

/** The folders of MySQL's own packages and archives. */
const usualFolders = [
  '/usr/local/mysql*/bin',
  '/opt/mysql*/bin',
  '/opt/homebrew/opt/mysql*/bin',
  '/usr/local/opt/mysql*/bin',
];

/** An older mysqldump refuses a server. The releases of one series need the same tools. */
export const mysqlToolReleases: ToolReleases = {
  tool: 'mysqldump',
  releases: ['8.0', '8.1', '8.2', '8.3', '8.4', '9.0', '9.1', '9.2', '9.3', '9.4', '9.5', '9.6', '9.7', '9.8', '9.9'],
};

/** Older tools were not tested, and MySQL 8.0 has objects that they do not dump. */
const oldest = mysqlRelease('8.0');

type Pair = FamilyTools & { readonly version: string; readonly release: number };

const install =
  "Install mysql-community-client of MySQL's own package repository on the worker, or unpack MySQL's archive below /usr/local/mysql or in a folder of STOWAGE_TOOLS. The package default-mysql-client of Debian contains MariaDB's tools.";

/**
 * The tools for a server: those of its own series, otherwise those of the next newer series. Without `server` the newest
 * ones. Throws TOOL_MISSING, also for the other programs that the pipeline needs, and TOOL_VERSION if all tools are older
 * than the server.
 */
export async function findMysqlTools(tools: Tools, server?: string, signal?: AbortSignal): Promise<FamilyTools> {
  pipelinePrograms(tools);
  const pairs = await findPairs(tools, signal);
  const newest = pairs.at(-1);
  if (newest === undefined) throw missing(await otherTools(tools, signal));
  if (server === undefined) return newest;
  const needed = series(mysqlRelease(server));
  const fits = pairs.filter(({ release }) => series(release) >= needed);
  const [nearest] = fits;
  if (nearest === undefined) throw tooOld(pairs, server);
  return fits.filter(({ release }) => series(release) === series(nearest.release)).at(-1) ?? nearest;
}

/** The version numbers of MySQL's tools and of the other programs of the pipeline. Throws TOOL_MISSING. */
export async function installedMysqlTools(tools: Tools): Promise<ToolVersions> {
  const pairs = await findPairs(tools);
  if (pairs.length === 0) throw missing(await otherTools(tools));
  const others = await versionNumbers(pipelinePrograms(tools), tools);
  const versions = pairs.map(({ version }) => version);
  return {
    mysqldump: versions,
    mysql: versions,
    ...Object.fromEntries(Object.entries(others).map(([name, version]) => [name, [version]])),
  };
}

/** Pairs of mysqldump and mysql in one folder, which are MySQL's and recent enough. The oldest comes first. */
async function findPairs(tools: Tools, signal?: AbortSignal): Promise<readonly Pair[]> {
  const pairs: Pair[] = [];
  for (const dump of findClients('mysqldump', tools, usualFolders)) {
    const printed = await programVersion(dump, tools, signal).catch(() => '');
    signal?.throwIfAborted();
    const client = join(dirname(dump), 'mysql');
    const [version, release] = [versionNumber(printed), mysqlRelease(versionOfTool(printed))];
    if (printed === '' || isMariadb(printed) || release < oldest || findProgram('mysql', [dirname(dump)]) !== client)
      continue;
    pairs.push({ dump, client, version, release });
  }
  return pairs.sort((a, b) => a.release - b.release);
}

/** Versions that were found and cannot be used, for the message. */
async function otherTools(tools: Tools, signal?: AbortSignal): Promise<readonly string[]> {
  const found = findClients('mysqldump', tools, usualFolders).map(async (dump) => {
    const printed = await programVersion(dump, tools, signal).catch(() => 'it does not start');
    return isMariadb(printed) ? `${dump} is MariaDB's` : `${dump} is ${versionNumber(printed)}`;
  });
  return Promise.all(found);
}

/** "8.0.33" of "Ver 8.0.33 for Linux", and "5.7.44" of "Ver 10.13 Distrib 5.7.44". */
function versionOfTool(printed: string): string {
  return /Distrib (\d+\.\d+\.\d+)/.exec(printed)?.[1] ?? versionNumber(printed);
}

function isMariadb(printed: string): boolean {
  return /mariadb/i.test(printed);
}

/** 8.0.33 and 8.0.36 are of one series. */
function series(release: number): number {
  return Math.floor(release / 100);
}

function missing(others: readonly string[]): StowageError {
  const because = others.length === 0 ? '' : ` (${others.join('; ')})`;
  return new StowageError(
    'TOOL_MISSING',
    `MySQL's programs 'mysqldump' and 'mysql', 8.0 or newer, are not installed on this worker${because}.`,
    { help: install, details: { program: 'mysqldump', package: 'mysql-community-client' } },
  );
}

function tooOld(pairs: readonly Pair[], server: string): StowageError {
  const versions = pairs.map(({ version }) => version);
  return new StowageError(
    'TOOL_VERSION',
    `The server is MySQL ${server}, and this worker has only mysqldump ${versions.join(', ')}, which is older.`,
    {
      help: `Install mysqldump and mysql of MySQL ${mysqlReleaseName(mysqlRelease(server))} or newer on the worker (mysql-community-client).`,
      details: { server, tools: versions, release: /^\d+\.\d+/.exec(server)?.[0] ?? '' },
    },
  );
}
