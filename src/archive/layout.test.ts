import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  attemptFolder,
  folderOfObject,
  installationMarker,
  jobIdsOf,
  partObject,
  prefixOfFolder,
  segmentFolder,
} from './layout.js';

const attempt = {
  prefix: '/team/backups/',
  serviceName: 'Größte Bäckerei / Kasse #1',
  serviceId: '0B9C2f61-1111-4222-8333-444455556666',
  startedAt: '2024-02-29T23:59:58.999+01:00',
  jobId: 'feedc0de-1111-4222-8333-444455556666',
  attempt: 3,
};

describe('The folder of an attempt', () => {
  test('has the path that the format specifies, in UTC', () => {
    expect(attemptFolder(attempt)).toBe(
      'team/backups/Gro-te-Backerei-Kasse-1-0b9c2f61/2024/02/20240229T225958Z-feedc0de-a3/',
    );
  });

  test.each([
    ['', 'service-'],
    ['../../etc', 'etc-'],
    ['海鸥', 'service-'],
    ['-rf', 'rf-'],
    ["a'; rm -rf $HOME `x`", 'a-rm-rf-HOME-x-'],
  ])('contains only safe characters of the name %j', (serviceName, begin) => {
    expect(attemptFolder({ ...attempt, prefix: '', serviceName })).toMatch(new RegExp(`^${begin}0b9c2f61/2024/`));
  });

  test.each(['', 'team/', 'team/backups/'])('shows the prefix %j that contains it', (prefix) => {
    expect(prefixOfFolder(attemptFolder({ ...attempt, prefix }))).toBe(prefix);
  });

  test.each(['', 'team/', 'team/backups/'])('can be found from any object in it below the prefix %j', (prefix) => {
    const folder = attemptFolder({ ...attempt, prefix });
    for (const name of ['backup.json', 'databases.sql.zst', 'segments/databases/00000001', '.stowage-partial-1']) {
      expect(folderOfObject(prefix, folder + name)).toEqual({ folder, jobShortId: 'feedc0de', attempt: 3 });
    }
    const [first, last] = jobIdsOf('feedc0de');
    expect(attempt.jobId > first && attempt.jobId < last).toBe(true);
  });

  test.each([
    'notes.txt',
    'other/service-0b9c2f61/2024/02/20240229T225958Z-feedc0de-a3/backup.json',
    'team/service-0b9c2f61/2024/02/20240229T225958Z-feedc0de-a3',
    'team/service-0b9c2f61/2024/02/20240229T225958Z-feedc0de-a3/',
    'team/service-0b9c2f61/2024/02/20240229T225958Z-feedc0de/backup.json',
    'team/deeper/service-0b9c2f61/2024/02/20240229T225958Z-feedc0de-a3/backup.json',
    'teams/service-0b9c2f61/2024/02/20240229T225958Z-feedc0de-a3/backup.json',
  ])('is not found from %j, which is not the name of such an object below team/', (name) => {
    expect(folderOfObject('team/', name)).toBeUndefined();
  });

  test('stays below the prefix, like the marker of the installation', () => {
    expect(installationMarker('team//backups')).toBe('team/backups/.stowage.json');
    expect(installationMarker('')).toBe('.stowage.json');
  });
});

describe('The name of a part', () => {
  const objectOf = (name: string, steps?: readonly string[]) =>
    partObject('f/', { name, extension: 'sql', ...(steps === undefined ? {} : { steps }) });

  test('determines the name of its object in the same way as for all parts ever stored', () => {
    expect(objectOf('databases')).toBe('f/databases.sql.zst');
    expect(segmentFolder('f/', { name: 'databases' })).toBe('f/segments/databases/');
  });

  test.each([
    ['Orders', '~4frders'],
    ['..', '~2e~2e'],
    ['a/b', 'a~2fb'],
    ['~41', '~7e41'],
    ['größe 1', 'gr~c3~b6~c3~9fe~201'],
  ])('%j becomes %s, which is one piece of a path on any storage', (name, escaped) => {
    expect(objectOf(name)).toBe(`f/${escaped}.sql.zst`);
    expect(segmentFolder('f/', { name })).toBe(`f/segments/${escaped}/`);
  });

  test('stays unique after it is escaped, also if letter case is ignored', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', minLength: 1 }),
        fc.string({ unit: 'binary', minLength: 1 }),
        (one, other) => {
          fc.pre(!Buffer.from(one).equals(Buffer.from(other)));
          expect(objectOf(one).toLowerCase()).not.toBe(objectOf(other).toLowerCase());
        },
      ),
    );
  });

  test('ends with the suffixes of the steps that its bytes passed', () => {
    expect(objectOf('databases', [])).toBe('f/databases.sql');
    expect(objectOf('databases', ['zstd', 'zstd'])).toBe('f/databases.sql.zst.zst');
    expect(() => objectOf('databases', ['unknown'])).toThrow(/cannot undo 'unknown'/);
  });
});
