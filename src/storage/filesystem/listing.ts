import type { BigIntStats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isOneOf } from './folder.js';

/**
 * The regular files below a folder whose name begins with `prefix`. Names are relative to the folder, with `/`, and in
 * the order of their bytes, as in object storages. Symbolic links are neither shown nor followed. A missing folder is
 * empty.
 */
export async function* filesBelow(
  folder: string,
  prefix: string,
): AsyncGenerator<{ name: string; stats: BigIntStats }, void, undefined> {
  yield* walk(folder, '', prefix);
}

async function* walk(
  folder: string,
  above: string,
  prefix: string,
): AsyncGenerator<{ name: string; stats: BigIntStats }, void, undefined> {
  for (const { name, isFolder } of await entriesInNameOrder(join(folder, above), above)) {
    const couldMatch = isFolder ? name.startsWith(prefix) || prefix.startsWith(name) : name.startsWith(prefix);
    if (!couldMatch) continue;
    if (isFolder) {
      yield* walk(folder, name, prefix);
      continue;
    }
    const stats = await lstat(join(folder, name), { bigint: true }).catch(undefinedIfGone);
    if (stats?.isFile() === true) yield { name, stats };
  }
}

/**
 * A folder is sorted by its name with a `/` at the end, because the names below it begin like this: `a.txt` comes
 * before `a/b`.
 */
async function entriesInNameOrder(path: string, above: string) {
  const entries = (await readdir(path, { withFileTypes: true }).catch(undefinedIfGone)) ?? [];
  return entries
    .filter((entry) => entry.isFile() || entry.isDirectory())
    .map((entry) => {
      const name = above + entry.name + (entry.isDirectory() ? '/' : '');
      return { name, isFolder: entry.isDirectory(), bytes: Buffer.from(name) };
    })
    .sort((one, other) => Buffer.compare(one.bytes, other.bytes));
}

function undefinedIfGone(error: unknown): undefined {
  if (!isOneOf(error, ['ENOENT'])) throw error;
  return undefined;
}
