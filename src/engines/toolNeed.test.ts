import { expect, test } from '@jest/globals';
import { StowageError } from '../errors.js';
import { needOf, needsMetBy } from './toolNeed.js';

const postgresql = { name: 'POSTGRESQL', toolReleases: { tool: 'pg_dump', releases: ['9.6', '15', '18'] } };
const tooOld = (release: string, code: 'TOOL_VERSION' | 'TOOL_FAILED' = 'TOOL_VERSION') =>
  new StowageError(code, 'too old', { details: { release } });

test('A worker meets the needs of all servers that are not newer than its newest tool', () => {
  const met = (...versions: string[]) => needsMetBy(postgresql, { pg_dump: versions, zstd: ['99.0'] });
  expect(met('15.9')).toEqual(['POSTGRESQL pg_dump 9.6', 'POSTGRESQL pg_dump 15']);
  expect(met('15.9', '18.1')).toContain('POSTGRESQL pg_dump 18');
  expect(met()).toEqual([]);
  expect(needsMetBy({ name: 'MONGODB' }, { mongodump: ['100.18.0'] })).toEqual([]);
});

test('A need is known only if the tools were too old, for a release that workers can name', () => {
  expect(needOf(tooOld('18'), postgresql)).toBe('POSTGRESQL pg_dump 18');
  expect(needOf(tooOld('30'), postgresql)).toBeUndefined();
  expect(needOf(tooOld('18', 'TOOL_FAILED'), postgresql)).toBeUndefined();
  expect(needOf(new Error('18'), postgresql)).toBeUndefined();
});
