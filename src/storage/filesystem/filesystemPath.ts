import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { text, type Rule } from '../../server/inputValidation.js';

const hint = 'Use a folder below the root, for example backups/orders, without .. and symbolic links.';

/** The path in its stored form, for example `a/b`: relative to the root, even if the client sent the whole path. */
export function pathBelow(root: string, path: string): string {
  const whole = root.endsWith('/') ? root : `${root}/`;
  return (path.startsWith(whole) ? path.slice(whole.length) : path).replace(/\/+$/, '');
}

/** Checks a folder's path without reading the disk. */
export function folderBelow(root: string): Rule<string> {
  return (path) => {
    const unlikely = text(1, 1000)(path);
    if (unlikely !== undefined) return unlikely;
    const below = pathBelow(root, path);
    const parts = below.split('/');
    if (path.replace(/\/+$/, '') === root.replace(/\/+$/, '')) return { problem: 'is the root itself', hint };
    if (below.startsWith('/') || parts.includes('..')) return { problem: 'is outside of the root', hint };
    if (parts.includes('.') || parts.includes('')) return { problem: 'has empty parts', hint };
    return undefined;
  };
}

/** Checks the folder on the disk. A symbolic link is refused, because it could lead anywhere, now or later. */
export async function folderProblem(root: string, path: string): ReturnType<typeof problemAt> {
  let folder = root;
  for (const part of pathBelow(root, path).split('/')) {
    folder = join(folder, part);
    const found = await problemAt(folder);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function problemAt(folder: string): Promise<{ readonly problem: string; readonly hint: string } | undefined> {
  // A missing folder will be created. An unreadable folder fails the check, which reports the reason.
  const stats = await lstat(folder).catch(() => undefined);
  if (stats === undefined || stats.isDirectory()) return undefined;
  return {
    problem: stats.isSymbolicLink() ? 'contains a symbolic link' : 'contains a file in the place of a folder',
    hint,
  };
}
