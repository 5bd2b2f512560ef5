import { stat } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { StowageError } from '../../errors.js';
import { plainOutput } from './outputFilter.js';
import { startTool } from './startTool.js';
import type { Tools, ToolVersions } from './tools.js';

const versions = new Map<string, { readonly file: string; readonly version: string }>();

/** The time limit for a program to print its version. */
const versionMs = 10_000;

/**
 * The first line that `--version` prints. The program runs again only if its file has changed. Aborting ends the
 * program and throws the reason of the signal. Throws TOOL_FAILED if the program fails or takes longer than 10 s.
 */
export async function programVersion(program: string, tools: Tools, signal?: AbortSignal): Promise<string> {
  const file = await stat(program).then(
    ({ dev, ino, size, mtimeMs }) => [dev, ino, size, mtimeMs].join(),
    () => '',
  );
  signal?.throwIfAborted();
  const known = versions.get(program);
  if (known?.file === file) return known.version;
  const version = await printedVersion(program, tools, signal);
  versions.set(program, { file, version });
  return version;
}

async function printedVersion(program: string, tools: Tools, signal: AbortSignal | undefined): Promise<string> {
  const timeout = AbortSignal.timeout(versionMs);
  const limited = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  const tool = startTool(
    { program, args: ['--version'], stdin: 'none', stdout: 'pipe', filter: plainOutput() },
    tools,
    limited,
  );
  const printed = tool.stdout === null ? Promise.resolve('') : text(tool.stdout).catch(() => '');
  const end = await tool.ended;
  signal?.throwIfAborted();
  if (end.exitCode === 0) {
    // A process that the program left running elsewhere may keep its output open.
    const all = await Promise.race([printed, wait(1_000, '', { ref: false })]);
    return (all.split('\n')[0] ?? '').replace(`${program} `, '').trim();
  }
  throw new StowageError('TOOL_FAILED', `The program '${program}' does not start.`, {
    ...(end.lastLines === '' ? {} : { toolOutput: end.lastLines }),
  });
}

/**
 * The version number in the output of a program, for example "10.11.19". The whole output if it holds no such number.
 */
export function versionNumber(version: string): string {
  return (/\d+\.\d+\.\d+/.exec(version) ?? /\d+\.\d+/.exec(version))?.[0] ?? version;
}

/** The version numbers of programs, by name. Throws TOOL_FAILED for a program that does not start. */
export async function versionNumbers(
  programs: Readonly<Record<string, string>>,
  tools: Tools,
  signal?: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  const found = Object.entries(programs).map(async ([name, path]): Promise<[string, string]> => {
    return [name, versionNumber(await programVersion(path, tools, signal))];
  });
  return Object.fromEntries(await Promise.all(found));
}

/** Each program with its only version, for `Engine.tools`. */
export function onlyVersions(versions: Readonly<Record<string, string>>): ToolVersions {
  return Object.fromEntries(Object.entries(versions).map(([name, version]) => [name, [version]]));
}
