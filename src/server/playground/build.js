/** node build.js [FOLDER]: bundles the playground with its fonts and workers. Default: dist/playground. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { build } from 'esbuild';

const here = import.meta.dirname;
const out = process.argv[2] ?? join(here, '../../../dist/playground');
const shared = {
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  outdir: join(out, 'assets'),
  entryNames: '[name]-[hash]',
  chunkNames: '[name]-[hash]',
  assetNames: '[name]-[hash]',
  loader: { '.ttf': 'file' },
  define: { 'process.env.NODE_ENV': '"production"' },
  metafile: true,
  logLevel: 'warning',
};

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });

const workers = await build({
  ...shared,
  entryPoints: {
    editorWorker: 'monaco-editor/esm/vs/editor/editor.worker.js',
    jsonWorker: 'monaco-editor/esm/vs/language/json/json.worker.js',
    graphqlWorker: 'monaco-graphql/esm/graphql.worker.js',
  },
});
const workerUrls = {
  editor: urlOf(workers, 'editorWorker', 'js'),
  json: urlOf(workers, 'jsonWorker', 'js'),
  graphql: urlOf(workers, 'graphqlWorker', 'js'),
};

const page = await build({
  ...shared,
  entryPoints: { playground: join(here, 'index.tsx') },
  splitting: true,
  jsx: 'automatic',
  define: { ...shared.define, workerUrls: JSON.stringify(workerUrls) },
});
const html = await readFile(join(here, 'index.html'), 'utf8');
await writeFile(
  join(out, 'index.html'),
  html.replace('{{script}}', urlOf(page, 'playground', 'js')).replace('{{style}}', urlOf(page, 'playground', 'css')),
);

function urlOf({ metafile }, name, extension) {
  const names = Object.keys(metafile.outputs).map((path) => basename(path));
  const found = names.find((file) => new RegExp(`^${name}-[A-Z0-9]+\\.${extension}$`).test(file));
  if (found === undefined) throw new Error(`esbuild made no ${name}.${extension}; it made ${names.join(', ')}.`);
  return `/playground/assets/${found}`;
}
