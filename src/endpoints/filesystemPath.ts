import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { text, type Rule } from '../server/inputValidation.js';

const hint = 'Name a folder below the root, for example backups/orders, without .. and symbolic links.';

/** The path as it is stored, `a/b`: relative to the root, whether or not it was written so. */
export function pathBelow(root: string, path: string): string {
  const whole = root.endsWith('/') ? root : `${root}/`;
  return (path.startsWith(whole) ? path.slice(whole.length) : path).replace(/\/+$/, '');
}

/** What can be said of a folder's path without looking at the disk. */
export function folderBelow(root: string): Rule<string> {
  return (path) => {
    const unlikely = text(1, 1000)(path);
    if (unlikely !== undefined) return unlikely;
    const below = pathBelow(root, path);
    const parts = below.split('/');
    if (path.replace(/\/+$/, '') === root.replace(/\/+$/, '')) return { problem: 'is the root itself', hint };
    if (below.startsWith('/') || parts.includes('..')) return { problem: 'leads out of the root', hint };
    if (parts.includes('.') || parts.includes('')) return { problem: 'has empty parts', hint };
    return undefined;
  };
}

/** What is wrong with the folder as it lies on the disk: a symbolic link could lead anywhere, also later. */
export async function folderProblem(root: string, path: string): ReturnType<typeof lookAt> {
  let folder = root;
  for (const part of pathBelow(root, path).split('/')) {
    folder = join(folder, part);
    const found = await lookAt(folder);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function lookAt(folder: string): Promise<{ readonly problem: string; readonly hint: string } | undefined> {
  // What is missing will be made, and what cannot be looked at fails the check, which says why.
  const stats = await lstat(folder).catch(() => undefined);
  if (stats === undefined || stats.isDirectory()) return undefined;
  return { problem: stats.isSymbolicLink() ? 'passes a symbolic link' : 'passes a file that is no folder', hint };
}
