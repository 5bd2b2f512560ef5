import { accessSync, constants, readdirSync, realpathSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { StowageError } from '../../errors.js';

/**
 * The folders in which programs are searched for, after the folders that the caller names. This is a constant and not
 * `PATH`, because a shell or a service manager must not decide which program receives a password.
 */
const systemFolders = [
  '/usr/local/sbin',
  '/usr/local/bin',
  '/usr/sbin',
  '/usr/bin',
  '/sbin',
  '/bin',
  '/opt/homebrew/bin',
];

/** The `PATH` of a child process. */
export const childPath = systemFolders.join(':');

/** The absolute path of an executable file, or undefined. `folders` are searched before the folders of the system. */
export function findProgram(name: string, folders: readonly string[] = []): string | undefined {
  return [...folders, ...systemFolders]
    .filter((folder) => isAbsolute(folder))
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

/**
 * The absolute paths of all versions of a database client: in the folders of `tools`, in the folders of the system, in
 * the `PATH`, and in the `usual` places of its packages, where `*` stands for any name. `PATH` comes after the folders
 * of the system, so it adds versions and replaces none. Two paths of one file count once.
 */
export function findClients(
  name: string,
  { folders, laterFolders = [] }: { readonly folders: readonly string[]; readonly laterFolders?: readonly string[] },
  usual: readonly string[] = [],
): readonly string[] {
  const places = [...folders, ...systemFolders, ...laterFolders, ...usual.flatMap(foldersLike)];
  const found = places
    .filter((folder) => isAbsolute(folder))
    .map((folder) => join(folder, name))
    .filter(isExecutable);
  const byFile = new Map<string, string>();
  for (const path of found) {
    const file = realpathSync(path);
    if (!byFile.has(file)) byFile.set(file, path);
  }
  return [...byFile.values()];
}

/** Like `findProgram`, but throws TOOL_MISSING naming the program and the Debian package that contains it. */
export function requireProgram(name: string, debianPackage: string, folders: readonly string[] = []): string {
  const path = findProgram(name, folders);
  if (path !== undefined) return path;
  throw new StowageError('TOOL_MISSING', `The program '${name}' is not installed on this worker.`, {
    help: `Install it on the worker, on Debian or Ubuntu with: apt-get install ${debianPackage}`,
    details: { program: name, package: debianPackage },
  });
}

/** The existing folders of a path in which `*` stands for any name, such as `/usr/local/mysql*`. */
function foldersLike(pattern: string): readonly string[] {
  const [before = '', after = ''] = pattern.split('*');
  if (!pattern.includes('*')) return [pattern];
  const slash = before.lastIndexOf('/');
  const [parent, start] = [before.slice(0, slash), before.slice(slash + 1)];
  try {
    return readdirSync(parent)
      .filter((name) => name.startsWith(start))
      .sort()
      .map((name) => `${parent}/${name}${after}`);
  } catch {
    return []; // There is no such folder.
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
