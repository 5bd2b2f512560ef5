/**
 * Writes schema/schema.graphql from the code: `npm run schema`. With --check it writes nothing, and exits with code 1 if the
 * file is outdated.
 */
import 'reflect-metadata';
import { readFile, writeFile } from 'node:fs/promises';
import { composeApi, type ApiTools } from '../src/composition/api.js';
import { emitSchema } from '../src/server/apiSchema.js';
import { parseAllowedTargets } from '../src/storage/allowedTargets.js';
import { createStorageKinds } from '../src/storage/createStorageKinds.js';

const file = new URL('../schema/schema.graphql', import.meta.url);
// Resolvers use their dependencies only when they are called, and nothing calls them here.
const storages = createStorageKinds({ filesystemRoot: null, allowedTargets: parseAllowedTargets('') });
const sdl = emitSchema(composeApi({ storages } as ApiTools));
if (!process.argv.includes('--check')) await writeFile(file, sdl);
else if ((await readFile(file, 'utf8').catch(() => '')) !== sdl) {
  process.stderr.write('schema/schema.graphql is outdated. Run `npm run schema` and commit the file.\n');
  process.exitCode = 1;
}
