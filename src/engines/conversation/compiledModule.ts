import { statSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { join, relative } from 'node:path';

const repository = join(import.meta.dirname, '../../..');

/**
 * The file that a separate process can run, because Node runs only JavaScript. For a TypeScript source, as in tests, it
 * is the compiled file in `dist`. Throws if this file is missing or older than its source.
 */
export function compiledModule(url: URL): string {
  const path = fileURLToPath(url);
  const source = path.replace(/\.js$/, '.ts');
  if (!import.meta.url.endsWith('.ts')) return pathToFileURL(path).href;
  const compiled = join(repository, 'dist', relative(repository, source)).replace(/\.ts$/, '.js');
  if (changedAt(compiled) < changedAt(source)) {
    throw new Error(`${compiled} is older than its source: run npm run build.`);
  }
  return pathToFileURL(compiled).href;
}

function changedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
