import { execFile } from 'node:child_process';
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

/** What `--version` says, first line. Throws TOOL_FAILED for a program that cannot even do that. */
export async function versionOf(program: string): Promise<string> {
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
  const versions = ['mariadb-dump', 'mariadb', 'zstd'].map(async (name): Promise<[string, string]> => {
    const path = findProgram(name, toolsPath);
    return [name, path === undefined ? '' : await versionOf(path)];
  });
  return Object.fromEntries(await Promise.all(versions));
}
