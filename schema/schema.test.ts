import { readFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { buildSchema, parse } from 'graphql';
import { composeApi, type ApiTools } from '../src/composition/api.js';
import { emitSchema } from '../src/server/apiSchema.js';
import { checkOperation } from '../src/server/checkOperation.js';
import { examples } from '../src/server/playground/examples.js';
import { parseAllowedTargets } from '../src/storage/allowedTargets.js';
import { createStorageKinds } from '../src/storage/createStorageKinds.js';

const sdl = await readFile(new URL('schema.graphql', import.meta.url), 'utf8');

describe('schema/schema.graphql', () => {
  test('equals the schema of the code; write it with `npm run schema`', () => {
    const storages = createStorageKinds({ filesystemRoot: null, allowedTargets: parseAllowedTargets('') });
    expect(emitSchema(composeApi({ storages } as ApiTools))).toBe(sdl);
  });

  test.each(examples.map((example) => [/^\w+ (\w+)/m.exec(example.query)?.[1] ?? example.query, example] as const))(
    'accepts the example %s of the playground unchanged',
    (_, { query, variables }) => {
      expect(checkOperation(buildSchema(sdl), { document: parse(query), variables: { ...variables } })).toEqual([]);
    },
  );
});
