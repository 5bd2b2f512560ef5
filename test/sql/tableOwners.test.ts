/**
 * The rules about imports do not cover SQL. So this test checks the same order for SQL: no statement names a table of a
 * later slice.
 */
import { describe, expect, test } from '@jest/globals';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { sourcesBelow } from './sourcesBelow.js';
import { textsOf } from './textsOf.js';

const repository = join(import.meta.dirname, '../..');
const sliceOrder = readSliceOrder();

/** Tables without an `EntitySchema`, by the folder of `src` that reads and writes them. */
const ownersOfOthers: Readonly<Record<string, readonly string[]>> = {
  postgres: [
    ...['events', 'commands', 'installation', 'reserved_names', 'entities', 'entity_uses', 'vault_credentials'],
    ...['job_queue', 'job_queue_slots', 'job_queue_projects', 'job_progress', 'workers'],
    ...['installation_home', 'installation_servers', 'prefix_marks'],
  ],
  projects: ['access_token_hashes', 'access_token_uses'],
  endpoints: ['container_audits'],
  signIn: ['sign_in_sessions', 'sign_in_links', 'audit_entries'],
};

/** Statements that may name a table of another folder, each with the reason. */
const exceptions: Readonly<Record<string, string>> = {
  'src/worker/sweeping/markKeeper.ts names prefix_marks of postgres':
    'One statement compares the prefixes of all file endpoints with their marks; the store of marks knows no endpoints.',
  'src/worker/sweeping/markKeeper.ts names installation_home of postgres': 'The same statement.',
};

/** Folders that come after all slices. They combine slices and may name any table. */
const aboveSlices = ['worker', 'composition'];

const owners = new Map(
  Object.entries(ownersOfOthers).flatMap(([owner, tables]) => tables.map((each) => [each, owner])),
);
const sources = await sourcesBelow('src');
for (const { path, text } of sources) {
  for (const [, table = ''] of text.matchAll(/new EntitySchema<\w+>\(\{\s*name: '(\w+)'/g))
    owners.set(table, folderOf(path));
}

describe('the tables named in SQL', () => {
  test('have exactly one owner each', async () => {
    const migrations = (await sourcesBelow('migrations')).map(({ text }) => text).join('\n');
    const created = [...migrations.matchAll(/CREATE (?:UNLOGGED )?TABLE (\w+)/g)].map(([, table = '']) => table);
    expect(created.toSorted()).toEqual([...owners.keys()].toSorted());
  });

  test('belong to the folder of the statement, or to an earlier slice', () => {
    const misplaced = sources.flatMap(({ path, text }) =>
      tablesIn(path, text)
        .filter((table) => !mayName(folderOf(path), owners.get(table) ?? ''))
        .map((table) => `${path} names ${table} of ${owners.get(table) ?? ''}`),
    );
    expect(misplaced.toSorted()).toEqual(Object.keys(exceptions).toSorted());
  });
});

function mayName(folder: string, owner: string): boolean {
  if (folder === owner) return true;
  const [place, ownersPlace] = [sliceOrder.indexOf(folder), sliceOrder.indexOf(owner)];
  // Tables of tools are accessed only through their contracts.
  if (ownersPlace === -1) return false;
  return aboveSlices.includes(folder) || (place !== -1 && ownersPlace < place);
}

/** The order of the slices in the rules about imports. */
function readSliceOrder(): readonly string[] {
  const config = createRequire(import.meta.url)(join(repository, '.dependency-cruiser.cjs')) as {
    readonly forbidden: readonly { readonly name: string; readonly to: { readonly path?: string } }[];
  };
  const [first] = config.forbidden.filter(({ name }) => name.endsWith('-look-not-forward'));
  const later = /\((.*)\)/.exec(first?.to.path ?? '')?.[1]?.split('|') ?? [];
  return [first?.name.replace('-look-not-forward', '') ?? '', ...later];
}

/**
 * Names with an underscore are found anywhere in a SQL text. Other words are found only at a position where SQL
 * requires a table.
 */
function tablesIn(path: string, text: string): readonly string[] {
  const statements = textsOf(path, text).filter((each) =>
    /\b(SELECT|INSERT|UPDATE|DELETE|FROM|JOIN|TABLE)\b/.test(each),
  );
  return [...owners.keys()].filter((table) =>
    statements.some((sql) => {
      const place = table.includes('_') ? '' : '\\b(?:FROM|JOIN|INTO|UPDATE|TABLE)\\s+(?:public\\.)?';
      const isDefinedHere = new RegExp(`\\b(?:WITH|,|RECURSIVE)\\s+${table}(?: \\([^)]*\\))? AS\\b`).test(sql);
      return !isDefinedHere && new RegExp(`${place}(?<![.\\w'])${table}\\b`).test(sql);
    }),
  );
}

function folderOf(path: string): string {
  return /^src\/([^/]+)\//.exec(path)?.[1] ?? '';
}
