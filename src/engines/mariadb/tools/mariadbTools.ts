import { plainOutput } from '../../process/outputFilter.js';
import { stat } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { StowageError } from '../../../errors.js';
import { findPipelinePrograms, type PipelinePrograms } from '../../process/pipelinePrograms.js';
import { findProgram, requireProgram } from '../../process/programs.js';
import { startTool } from '../../process/startTool.js';

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

/** A program that has not told its version by then does not start. */
const versionMs = 10_000;

/**
 * What `--version` says, first line; a program is asked again when its file has changed. Aborting ends the program and
 * throws the signal's reason. Throws TOOL_FAILED for one that cannot even do that within 10 s.
 */
export async function versionOf(program: string, signal?: AbortSignal): Promise<string> {
  const file = await stat(program).then(
    ({ dev, ino, size, mtimeMs }) => [dev, ino, size, mtimeMs].join(),
    () => '',
  );
  signal?.throwIfAborted();
  const known = versions.get(program);
  if (known?.file === file) return known.version;
  const version = await askVersion(program, signal);
  versions.set(program, { file, version });
  return version;
}

async function askVersion(program: string, signal: AbortSignal | undefined): Promise<string> {
  const timeout = AbortSignal.timeout(versionMs);
  const limited = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  const tool = startTool(
    { program, args: ['--version'], stdin: 'none', stdout: 'pipe', filter: plainOutput() },
    limited,
  );
  const said = tool.stdout === null ? Promise.resolve('') : text(tool.stdout).catch(() => '');
  const end = await tool.ended;
  signal?.throwIfAborted();
  if (end.exitCode === 0) {
    // What it left running elsewhere may keep its output open.
    const all = await Promise.race([said, wait(1_000, '', { ref: false })]);
    return (all.split('\n')[0] ?? '').replace(`${program} `, '').trim();
  }
  throw new StowageError('TOOL_FAILED', `The program '${program}' does not start.`, {
    ...(end.lastLines === '' ? {} : { toolOutput: end.lastLines }),
  });
}

/** "10.11.19" of "mariadb-dump from 11.4.2-MariaDB…" or "Ver 10.19 Distrib 10.11.19-MariaDB…". */
export function distribution(version: string): readonly [major: number, minor: number] | undefined {
  const found = /(?:Distrib|from) (\d+)\.(\d+)/.exec(version) ?? /(\d+)\.(\d+)\.\d+/.exec(version);
  return found === null ? undefined : [Number(found[1]), Number(found[2])];
}

/** "10.11.19" of what mariadb-dump or zstd say of themselves; all of it where no such number is in it. */
export function versionNumber(version: string): string {
  return /\d+\.\d+\.\d+/.exec(version)?.[0] ?? version;
}

/** Names and version numbers of what is installed, of each program that is. */
export async function installedTools(toolsPath: readonly string[]): Promise<Readonly<Record<string, string>>> {
  findMariadbTools(toolsPath);
  const found = ['mariadb-dump', 'mariadb', 'zstd'].map(async (name): Promise<[string, string]> => {
    const path = findProgram(name, toolsPath);
    return [name, path === undefined ? '' : versionNumber(await versionOf(path))];
  });
  return Object.fromEntries(await Promise.all(found));
}
