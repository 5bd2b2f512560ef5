import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { jsonInSlices } from './jsonInSlices.js';
import { RawJson } from './rawJson.js';

const atOnce = () => undefined;

test('the text is the same as that of JSON.stringify', async () => {
  const values = fc.record({ data: fc.jsonValue(), list: fc.array(fc.jsonValue(), { maxLength: 700 }) });
  await fc.assert(
    fc.asyncProperty(values, async (value) => {
      expect(await jsonInSlices(value, atOnce)).toBe(JSON.stringify(value));
    }),
    { numRuns: 30 },
  );
});

test('a text that is JSON already is written as it is, also in a small object', async () => {
  const raw = new RawJson('{"a": [1,2], "b":"\\u00e9"}');
  expect(await jsonInSlices({ data: { inventory: raw, id: '1' } }, atOnce)).toBe(
    '{"data":{"inventory":{"a": [1,2], "b":"\\u00e9"},"id":"1"}}',
  );
  expect(JSON.stringify({ raw })).toBe('{"raw":{"a":[1,2],"b":"é"}}');
});

test('a long list far below the top is written in slices', async () => {
  const tables = Array.from({ length: 10_000 }, (_, number) => ({ name: `table_${number}`, rows: number }));
  const result = { data: { nodes: [{ job: { plan: { inventory: { databases: [{ tables }] } } } }] } };
  let pauses = 0;
  const text = await jsonInSlices(result, () => {
    pauses += 1;
    return undefined;
  });
  expect(JSON.parse(text)).toEqual(result);
  expect(pauses).toBeGreaterThan(10_000);
});
