import { describe, expect, test } from '@jest/globals';
import { asWork } from './countRows.js';
import { countingShareOf, countingShares } from './countingShare.js';
import { countingTime, firstMs } from './countingTime.js';

const work = (sizeBytes: number) =>
  asWork([{ database: 'd', name: 't', sizeBytes, history: false, outsideSnapshot: false }]);
const small = work(1_000);
const large = work(1_000_000_000);

describe('Counting during a dump', () => {
  function begin(share = 0.02) {
    let nowMs = 0;
    const time = countingTime({ small: 0.1, large: () => share }, () => nowMs);
    return { time, pass: (ms: number) => (nowMs += ms) };
  }
  const available = ({ time }: ReturnType<typeof begin>, one = small) => time.atLeast(-1e9, one);

  test('has time for small tables at once, and none for large ones', async () => {
    const dump = begin();
    expect([await available(dump), await available(dump, large)]).toEqual([firstMs, 0]);
  });

  test('gives large tables their share of the time of the dump, minus the time that all tables have used', async () => {
    const dump = begin();
    dump.time.use(300, small);
    dump.pass(100_000);
    expect(await available(dump, large)).toBe(2_000);
    dump.time.use(1_500, large);
    expect([await available(dump), await available(dump, large)]).toEqual([9_200, 500]);
  });

  test('waits until the dump has ended, and then may use all the time if counting is free', async () => {
    const dump = begin(0.1);
    const waits = dump.time.atLeast(500, large);
    dump.time.dumpHasEnded();
    expect(await waits).toBe(Infinity);
  });

  test.each([
    ['a short dump', 10_000, 500],
    ['a long dump', 1_000_000, 10_000],
    ['a dump of a minute and a half', 90_000, 900],
  ])('has little time for large tables after %s, while the rest of the dump is stored', async (_, dumpMs, largeMs) => {
    const dump = begin();
    dump.pass(dumpMs);
    dump.time.dumpHasEnded();
    expect([await available(dump), await available(dump, large)]).toEqual([Infinity, largeMs]);
    dump.pass(200);
    dump.time.end(3_000);
    expect([await available(dump), await available(dump, large)]).toEqual([3_000, Math.min(3_000, largeMs - 200)]);
  });

  test('has no time left when nobody waits for the count', async () => {
    const dump = begin();
    dump.pass(90_000);
    dump.time.dumpHasEnded();
    dump.time.end(0);
    expect([await available(dump), await available(dump, large)]).toEqual([0, 0]);
  });

  test('does not wait for large tables before the dump begins', async () => {
    const dump = begin();
    expect(dump.time.isFirstUsed()).toBe(false);
    void dump.time.atLeast(50, large);
    await dump.time.firstIsUsed;
    expect(dump.time.isFirstUsed()).toBe(true);
    dump.time.end(0);
  });
});

describe('The share of the time of a dump that counting takes', () => {
  const here = { addresses: () => new Set(['127.0.0.1', '192.0.2.7']) };

  test('is large on the server of another machine', () => {
    expect(countingShareOf({ address: '192.0.2.8' }, { ...here, idleMs: () => 0, now: () => 0 })()).toBe(
      countingShares.roomy,
    );
  });

  test.each([
    ['small while the processors of this machine are busy', 0, countingShares.tight],
    ['large while one of them is idle', 60_000, countingShares.roomy],
  ])('is %s', (_, idleInAMinuteMs, share) => {
    let [idleMs, nowMs] = [5_000_000, 100];
    const shareNow = countingShareOf({ address: '192.0.2.7' }, { ...here, idleMs: () => idleMs, now: () => nowMs });
    expect(shareNow()).toBe(countingShares.tight);
    [idleMs, nowMs] = [idleMs + idleInAMinuteMs, nowMs + 60_000];
    expect(shareNow()).toBe(share);
  });
});
