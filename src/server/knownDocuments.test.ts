import { expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { KnownDocuments } from './knownDocuments.js';

const documents = new KnownDocuments();

/** Writes a document of about this many characters to the store, as Apollo Server does. */
async function offer(name: string, characters: number) {
  const document = parse(`{ hello } #${name}`.padEnd(characters));
  await documents.set(name, document);
  return document;
}

test('only a valid document is found again, under its own key', async () => {
  const refused = await offer('refused', 100);
  const valid = await offer('valid', 100);
  documents.keep(valid);
  expect(await documents.get('refused')).toBeUndefined();
  expect(documents.has(refused)).toBe(false);
  expect(await documents.get('valid')).toBe(valid);
  expect(documents.has(valid)).toBe(true);
  expect(documents.has(parse('{ hello }'))).toBe(false);
  await documents.delete('valid');
  expect(await documents.get('valid')).toBeUndefined();
  expect(documents.has(valid)).toBe(false);
});

test('the least recently used documents are removed if there are many, and a huge one is never kept', async () => {
  for (let n = 1; n <= 10; n += 1) documents.keep(await offer(`number ${n}`, 9_900));
  expect(await documents.get('number 1')).toBeDefined();
  documents.keep(await offer('huge', 10_001));
  expect(await documents.get('huge')).toBeUndefined();
  documents.keep(await offer('one more', 9_900));
  expect(await documents.get('number 2')).toBeUndefined();
  for (const kept of ['number 1', 'number 3', 'number 10', 'one more']) {
    expect(await documents.get(kept)).toBeDefined();
  }
});
