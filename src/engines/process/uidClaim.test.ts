import { afterEach, expect, test } from '@jest/globals';
import { describeWith } from '../../../test/fixtures/requirements.js';
import type { UidRange } from './toolUids.js';
import { claimUids, type UidClaim } from './uidClaim.js';

const notLinux = process.platform === 'linux' ? undefined : 'run on Linux';

describeWith({ root: notLinux }, 'A claim of uids', () => {
  const held: UidClaim[] = [];
  const claim = async (first: number, last: number): Promise<UidRange | 'CLAIMED'> => {
    const answer = await claimUids({ first, last });
    if ('takenBy' in answer) return answer.takenBy;
    held.push(answer);
    return 'CLAIMED';
  };
  afterEach(() => held.splice(0).forEach((each) => each.close()));

  test.each([
    ['the same range', 3_000_000, 3_000_010],
    ['a range that overlaps', 3_000_010, 3_000_020],
    ['a range around it', 2_999_999, 3_000_011],
  ])('refuses %s to another process', async (_which, first, last) => {
    expect(await claim(3_000_000, 3_000_010)).toBe('CLAIMED');
    expect(await claim(first, last)).toEqual({ first: 3_000_000, last: 3_000_010 });
    held.splice(0).forEach((each) => each.close());
    expect(await claim(first, last)).toBe('CLAIMED');
  });

  test('allows ranges beside it', async () => {
    expect(await claim(3_000_000, 3_000_010)).toBe('CLAIMED');
    expect(await claim(3_000_011, 3_000_020)).toBe('CLAIMED');
  });

  test('is never given twice at the same time', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => claim(3_000_000, 3_000_010)));
    expect(answers.filter((answer) => answer === 'CLAIMED').length).toBeLessThanOrEqual(1);
  });
});
