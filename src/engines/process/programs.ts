import { accessSync, constants } from 'node:fs';
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

/** Like `findProgram`, but throws TOOL_MISSING naming the program and the Debian package that contains it. */
export function requireProgram(name: string, debianPackage: string, folders: readonly string[] = []): string {
  const path = findProgram(name, folders);
  if (path !== undefined) return path;
  throw new StowageError('TOOL_MISSING', `The program '${name}' is not installed on this worker.`, {
    help: `Install it on the worker, on Debian or Ubuntu with: apt-get install ${debianPackage}`,
    details: { program: name, package: debianPackage },
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
