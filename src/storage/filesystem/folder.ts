import { constants } from 'node:fs';
import { lstat, mkdir, open, realpath, rmdir } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { StowageError } from '../../errors.js';
import { checkObjectName } from '../objectName.js';
import { systemCode } from './filesystemErrors.js';
import type { FilesystemSettings } from './filesystemSettings.js';

/**
 * The endpoint's folder, and the only way from an object's name to a path. No name leads out of the folder: not `..`,
 * not an absolute name, and not a symbolic link on the way.
 */
export class Folder {
  constructor(private readonly settings: FilesystemSettings) {}

  /**
   * An absolute path with symbolic links resolved. The folder may not exist yet. Throws ENDPOINT_FORBIDDEN outside of
   * the root.
   */
  get path(): string {
    const { root, path } = this.settings;
    if (!isAbsolute(root)) throw outside(`The root '${root}' is not an absolute path.`);
    if (path !== '') checkObjectName(path);
    return resolve(root, path);
  }

  /**
   * The path of an object. Throws ENDPOINT_FORBIDDEN if an existing folder above it is outside of the endpoint's
   * folder.
   */
  async pathOf(name: string): Promise<string> {
    checkObjectName(name);
    const path = join(this.path, name);
    await this.checkParents(dirname(path));
    return path;
  }

  /** Creates the missing folders above `path` (0700) and flushes them, so that they survive a power cut. */
  async makeParents(path: string): Promise<void> {
    await this.makeFolder(dirname(path));
    await this.checkParents(dirname(path));
  }

  /** Removes the empty folders above `path`, except for the endpoint's own folder. */
  async removeEmptyParents(path: string): Promise<void> {
    for (let folder = dirname(path); folder.startsWith(this.path + sep); folder = dirname(folder)) {
      try {
        await rmdir(folder);
      } catch (error) {
        if (isOneOf(error, ['ENOTEMPTY', 'EEXIST'])) return;
        // If a folder is missing, the folders above it are still flushed. The disk may have become full after they were
        // created.
        if (!isOneOf(error, ['ENOENT'])) throw error;
      }
    }
  }

  private async makeFolder(folder: string): Promise<void> {
    const root = resolve(this.settings.root);
    if (folder === root || !folder.startsWith(root + sep)) return;
    try {
      await mkdir(folder, { mode: 0o700 });
    } catch (error) {
      if (isOneOf(error, ['EEXIST'])) return;
      if (!isOneOf(error, ['ENOENT'])) throw error;
      // The root itself is never created. Otherwise, if its disk is not mounted, the files would fill the disk of the
      // mount point.
      if (dirname(folder) === root) throw error;
      await this.makeFolder(dirname(folder));
      return this.makeFolder(folder);
    }
    await syncFolder(dirname(folder));
  }

  private async checkParents(parent: string): Promise<void> {
    const realRoot = await realpath(this.settings.root);
    const realFolder = (await realPathIfThere(this.path)) ?? this.path;
    if (realFolder !== this.path) checkInside(realRoot, realFolder);
    let existing = parent;
    for (;;) {
      const real = await realPathIfThere(existing);
      if (real !== undefined) {
        const below = existing.length >= this.path.length;
        checkInside(below ? realFolder : realRoot, real);
        return;
      }
      if (existing === dirname(existing)) return;
      existing = dirname(existing);
    }
  }
}

/** Flushes the names in a folder to disk. Without this a renamed file may be missing after a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

export function isOneOf(error: unknown, codes: readonly string[]): boolean {
  return codes.includes(systemCode(error) ?? '');
}

function checkInside(folder: string, path: string): void {
  const way = relative(folder, path);
  if (way === '..' || way.startsWith('..' + sep) || isAbsolute(way)) {
    throw outside('A symbolic link in the path leads out of the folder.');
  }
}

async function realPathIfThere(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    if (!isOneOf(error, ['ENOENT'])) throw error;
  }
  // For a symbolic link with a missing target realpath throws ENOENT too, but a write would follow the link.
  const found = await lstat(path).catch((error: unknown) => {
    if (isOneOf(error, ['ENOENT'])) return undefined;
    throw error;
  });
  if (found === undefined) return undefined;
  if (found.isSymbolicLink()) throw outside('A symbolic link in the path has a target that does not exist.');
  // Another writer has created it in the meantime.
  return realPathIfThere(path);
}

function outside(sentence: string): StowageError {
  return new StowageError('ENDPOINT_FORBIDDEN', sentence, {
    help: 'Use a folder below STOWAGE_FILESYSTEM_ROOT whose path contains no symbolic link that leads out of it.',
  });
}
