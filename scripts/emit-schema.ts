/**
 * Writes schema/schema.graphql anew from the code: `npm run schema`. With --check it only says whether the file is stale
 * (exit code 1).
 */
import 'reflect-metadata';
import { readFile, writeFile } from 'node:fs/promises';
import { composeApi, type ApiTools } from '../src/composition/api.js';
import { emitSchema } from '../src/server/apiSchema.js';

const file = new URL('../schema/schema.graphql', import.meta.url);
// Resolvers keep what they work with until they are asked, and nobody asks them here.
const sdl = emitSchema(composeApi({} as ApiTools));
if (!process.argv.includes('--check')) await writeFile(file, sdl);
else if ((await readFile(file, 'utf8').catch(() => '')) !== sdl) {
  process.stderr.write('schema/schema.graphql is stale. Write it anew with `npm run schema` and commit it.\n');
  process.exitCode = 1;
}
