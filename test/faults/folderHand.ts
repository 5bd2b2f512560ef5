import { createReadStream } from 'node:fs';
import { lstat, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { hashInto, type ForeignHand } from './foreignHand.js';

/** Access to a folder endpoint by plain files. */
export function folderHand(folder: string): ForeignHand {
  const pathOf = (name: string) => join(folder, name);
  return {
    async list(prefix = '') {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true });
      const names = entries
        .filter((entry) => !entry.isDirectory())
        .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
        .filter((name) => name.startsWith(prefix))
        .sort();
      return Promise.all(
        names.map(async (name) => {
          const { size, mtimeMs } = await lstat(pathOf(name));
          return { name, bytes: size, hash: '', last_modified: new Date(mtimeMs).toISOString() };
        }),
      );
    },
    bytes: (name) => readFile(pathOf(name)),
    download: (name, file) => hashInto(file, createReadStream(pathOf(name))),
    put: (name, bytes) => writeFile(pathOf(name), bytes),
    remove: (name) => rm(pathOf(name)),
  };
}
