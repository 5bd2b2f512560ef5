import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const repository = join(import.meta.dirname, '../..');

export type Source = {
  /** The path from the root of the repository. */
  readonly path: string;
  readonly text: string;
};

/** The TypeScript files below a folder of the repository, without tests. */
export async function sourcesBelow(folder: string): Promise<readonly Source[]> {
  const names = await readdir(join(repository, folder), { recursive: true });
  const paths = names
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map((name) => join(folder, name));
  return Promise.all(paths.map(async (path) => ({ path, text: await readFile(join(repository, path), 'utf8') })));
}
