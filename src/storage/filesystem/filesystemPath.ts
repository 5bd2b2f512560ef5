import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { text, type Rule } from '../../server/inputValidation.js';

const hint = 'Use a folder such as backups/orders, without .. and symbolic links.';

/** The name of the folder below the root that holds all folders of a project. Paths in events begin with it. */
export function folderOfProject(projectId: string): string {
  return `project-${projectId}`;
}

/**
 * The path in its stored form, relative to the root. A client may name a folder relative to the folder of the project,
 * relative to the root as a stored path is, or with the whole path.
 */
export function storedPath(root: string, projectId: string, path: string): string {
  const below = pathBelow(root, path);
  const own = folderOfProject(projectId);
  return below.startsWith(`${own}/`) ? below : `${own}/${below}`;
}

/** The path relative to the root, even if the client sent the whole path, for example `a/b`. */
export function pathBelow(root: string, path: string): string {
  const whole = wholeRoot(root);
  return (path.startsWith(whole) ? path.slice(whole.length) : path).replace(/\/+$/, '');
}

/** Checks the path of a new folder of a project without reading the disk. */
export function folderBelow(root: string, projectId: string): Rule<string> {
  const own = folderOfProject(projectId);
  const ownHint = `Use a path relative to the folder of the project, for example backups, or a path below ${join(root, own)}.`;
  return (path) => {
    const unlikely = text(1, 1000)(path);
    if (unlikely !== undefined) return unlikely;
    const below = pathBelow(root, path);
    const parts = below.split('/');
    const [first = ''] = parts;
    if (path.replace(/\/+$/, '') === root.replace(/\/+$/, '')) return { problem: 'is the root itself', hint: ownHint };
    if (below.startsWith('/') || parts.includes('..')) return { problem: 'is outside of the root', hint };
    if (parts.includes('.') || parts.includes('')) return { problem: 'has empty parts', hint };
    if (below === own) return { problem: 'is the folder of all endpoints of the project', hint: ownHint };
    const isElsewhere = first !== own && (path.startsWith(wholeRoot(root)) || isFolderOfProject(first));
    if (isElsewhere) return { problem: 'is outside of the folder of the project', hint: ownHint };
    if (parts.some((part) => part.toLowerCase().startsWith('.stowage'))) {
      return { problem: 'has a part that is reserved for files of Stowage', hint };
    }
    return undefined;
  };
}

/** Checks the folder on the disk. A symbolic link is refused, because it could lead anywhere, now or later. */
export async function folderProblem(root: string, stored: string): ReturnType<typeof problemAt> {
  let folder = root;
  for (const part of stored.split('/')) {
    folder = join(folder, part);
    const found = await problemAt(folder);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * The parts of a path in one spelling. A file system may ignore letter case, Unicode's forms of a character, and dots or
 * spaces at the end of a name.
 */
export function foldedParts(path: string): readonly string[] {
  return path
    .split('/')
    .map((part) =>
      part
        .normalize('NFKC')
        .toLowerCase()
        .normalize('NFKC')
        .replace(/[. ]+$/, ''),
    )
    .filter((part) => part !== '');
}

function wholeRoot(root: string): string {
  return root.endsWith('/') ? root : `${root}/`;
}

function isFolderOfProject(name: string): boolean {
  return /^project-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(foldedParts(name).join('/'));
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
