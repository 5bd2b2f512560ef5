import { describe, expect, test } from '@jest/globals';
import { checkCursor, pageOf, pageRequest } from './page.js';

const id = '3f0c2b1e-8a4d-4c7e-9b1a-5d2e6f7a8b9c';
const list = {
  placeOf: (row: { key: string }) => ({ key: row.key, id }),
  nodeOf: (row: { key: string }) => row.key,
  countAll: () => Promise.resolve(0),
};

describe('keyset paging', () => {
  test('continues after the last row with its exact key', () => {
    const key = '2026-01-31 05:00:00.123456+00';
    const { pageInfo } = pageOf(pageRequest({ first: 1 }, 'queued'), [{ key }, { key: 'next' }], list);
    expect(pageInfo.hasNextPage).toBe(true);
    const next = pageRequest({ first: 1, after: pageInfo.endCursor ?? '' }, 'queued');
    expect(next.after).toEqual({ key, id });
    expect(() => checkCursor(next, 'timestamptz')).not.toThrow();
  });

  test('refuses a cursor of another order', () => {
    const { pageInfo } = pageOf(pageRequest({ first: 1 }, 'name'), [{ key: 'a' }], list);
    expect(() => pageRequest({ first: 1, after: pageInfo.endCursor }, 'queued')).toThrow('after: is not a cursor');
  });

  test.each([
    'yesterday',
    '',
    "'; drop table",
    '2026-01-31',
    '2026-02-31 05:00:00+00',
    '2026-01-31 25:00:00+00',
    '0000-01-31 05:00:00+00',
    '2026-01-31 05:00:00+99',
  ])('refuses a cursor with the forged key %j', (key) => {
    const after = Buffer.from(JSON.stringify(['queued', key, id])).toString('base64url');
    const request = pageRequest({ first: 1, after }, 'queued');
    expect(() => checkCursor(request, 'timestamptz')).toThrow('after: is not a cursor');
  });

  test.each(['', 'nonsense', 'bnVsbA', 'WzEsMiwzXQ', 'x'.repeat(100_000)])('refuses the cursor %.20j', (after) => {
    expect(() => pageRequest({ first: 1, after }, 'queued')).toThrow('after: is not a cursor');
  });
});
