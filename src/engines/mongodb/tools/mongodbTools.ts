import { StowageError } from '../../../errors.js';
import { pipelinePrograms } from '../../pipeline/pipelinePrograms.js';
import { findClients } from '../../process/programs.js';
import { onlyVersions, programVersion, versionNumber, versionNumbers } from '../../process/programVersion.js';
import type { Tools, ToolVersions } from '../../process/tools.js';

/** A program of the MongoDB Database Tools: an absolute path, and for example 100.18.0. */
export type MongodbTool = { readonly path: string; readonly version: string };

export type MongodbToolName = 'mongodump' | 'mongorestore';

const usualPlaces = ['/opt/mongodb-database-tools*/bin', '/usr/local/mongodb-database-tools*/bin'];
const packageName = 'mongodb-database-tools';

/**
 * Older tools lose data, according to their release notes. Up to 100.11 mongorestore replaces `Timestamp(0, 0)` with the
 * time of the restore (TOOLS-3540). Up to 100.12.1 it silently leaves out names with a line break. Up to 100.15 it restores
 * an index with an empty partialFilterExpression as another index (TOOLS-4154).
 */
const oldest = [100, 16, 0] as const;

/** The newest installed version of a tool. Throws TOOL_MISSING or TOOL_VERSION, also for programs of the pipeline. */
export async function findMongodbTool(name: MongodbToolName, tools: Tools, signal?: AbortSignal): Promise<MongodbTool> {
  pipelinePrograms(tools);
  const found = await installed(name, tools, signal);
  if (found.length === 0) throw missing(name);
  const [newest] = [...found].sort((one, other) => compareVersions(other.version, one.version));
  if (newest === undefined || compareVersions(newest.version, oldest.join('.')) < 0) throw tooOld(name, found);
  return newest;
}

/** The versions of all programs of the engine, by name. Throws like `findMongodbTool`. */
export async function installedTools(tools: Tools): Promise<ToolVersions> {
  const [dump, restore] = [await findMongodbTool('mongodump', tools), await findMongodbTool('mongorestore', tools)];
  const pipeline = onlyVersions(await versionNumbers(pipelinePrograms(tools), tools));
  return { mongodump: [dump.version], mongorestore: [restore.version], ...pipeline };
}

async function installed(name: string, tools: Tools, signal?: AbortSignal): Promise<readonly MongodbTool[]> {
  const paths = findClients(name, tools, usualPlaces);
  return Promise.all(
    paths.map(async (path) => ({ path, version: versionNumber(await programVersion(path, tools, signal)) })),
  );
}

function missing(name: string): StowageError {
  return new StowageError('TOOL_MISSING', `The program '${name}' is not installed on this worker.`, {
    help: `Install the MongoDB Database Tools ${oldest.join('.')} or newer on the worker (the package ${packageName} of MongoDB), or put their folder into STOWAGE_TOOLS.`,
    details: { program: name, package: packageName },
  });
}

function tooOld(name: string, found: readonly MongodbTool[]): StowageError {
  const versions = found.map(({ version, path }) => `${version} (${path})`).join(', ');
  return new StowageError(
    'TOOL_VERSION',
    `Of '${name}' this worker has only ${versions}. Versions before ${oldest.join('.')} change or lose data.`,
    { help: `Install the package ${packageName} of MongoDB in version ${oldest.join('.')} or newer on the worker.` },
  );
}

/** A version that is no number counts as a build of one's own, and as older than every release. */
export function compareVersions(one: string, other: string): number {
  const [left, right] = [one, other].map((version) => version.split('.').map((part) => Number(part)));
  for (let place = 0; place < 3; place += 1) {
    const [a, b] = [left?.[place] ?? 0, right?.[place] ?? 0];
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) ? (Number.isNaN(b) ? 0 : -1) : 1;
    if (a !== b) return a - b;
  }
  return 0;
}
