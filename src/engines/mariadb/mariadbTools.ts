import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { StowageError } from '../../errors.js';
import { findPipelinePrograms, type PipelinePrograms } from '../process/pipelinePrograms.js';
import { childPath, findProgram, requireProgram } from '../process/programs.js';

/** Absolute paths of all that a dump or a restore runs. */
export type MariadbTools = PipelinePrograms & { readonly dump: string; readonly client: string };

/** Throws TOOL_MISSING. Folders of `toolsPath` come before the system's. */
export function findMariadbTools(toolsPath: readonly string[]): MariadbTools {
  return {
    dump: requireProgram('mariadb-dump', 'mariadb-client', toolsPath),
    client: requireProgram('mariadb', 'mariadb-client', toolsPath),
    ...findPipelinePrograms(toolsPath),
  };
}

const versions = new Map<string, { readonly file: string; readonly version: string }>();

/**
 * What `--version` says, first line; a program is asked again when its file has changed. Throws TOOL_FAILED for one that
 * cannot even do that.
 */
export async function versionOf(program: string): Promise<string> {
  const file = await stat(program).then(
    ({ dev, ino, size, mtimeMs }) => [dev, ino, size, mtimeMs].join(),
    () => '',
  );
  const known = versions.get(program);
  if (known?.file === file) return known.version;
  const version = await askVersion(program);
  versions.set(program, { file, version });
  return version;
}

async function askVersion(program: string): Promise<string> {
  const options = { env: { PATH: childPath, LC_ALL: 'C' }, timeout: 10_000 };
  try {
    const { stdout } = await promisify(execFile)(program, ['--version'], options);
    return (stdout.split('\n')[0] ?? '').replace(`${program} `, '').trim();
  } catch (error) {
    throw new StowageError('TOOL_FAILED', `The program '${program}' does not start.`, { cause: error });
  }
}

/** "10.11.19" of "mariadb-dump from 11.4.2-MariaDB…" or "Ver 10.19 Distrib 10.11.19-MariaDB…". */
export function distribution(version: string): readonly [major: number, minor: number] | undefined {
  const found = /(?:Distrib|from) (\d+)\.(\d+)/.exec(version) ?? /(\d+)\.(\d+)\.\d+/.exec(version);
  return found === null ? undefined : [Number(found[1]), Number(found[2])];
}

/** Names and versions of what is installed, of each program that is. */
export async function installedTools(toolsPath: readonly string[]): Promise<Readonly<Record<string, string>>> {
  findMariadbTools(toolsPath);
  const found = ['mariadb-dump', 'mariadb', 'zstd'].map(async (name): Promise<[string, string]> => {
    const path = findProgram(name, toolsPath);
    return [name, path === undefined ? '' : await versionOf(path)];
  });
  return Object.fromEntries(await Promise.all(found));
}
