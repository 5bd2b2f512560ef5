import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { createSignInFailures, type SignInFailures, type SignInFailuresOptions } from './signInFailures.js';

type Line = { readonly failures: number; readonly addresses: number; readonly most: readonly object[] };

describe('failed sign-ins', () => {
  const lines: Line[] = [];
  let failures: SignInFailures;
  let nowMs = 0;
  const begin = (limits: SignInFailuresOptions['limits'] = {}) => {
    lines.length = 0;
    nowMs = 0;
    failures = createSignInFailures({ log: { warn: (line) => lines.push(line as Line) }, nowMs: () => nowMs, limits });
  };
  afterEach(() => failures.stop());

  /** Whether a failure is answered at once or later. */
  async function answerTo(address: string): Promise<boolean | 'LATER'> {
    const answer = failures.failed(address);
    return Promise.race([answer, turn().then(() => 'LATER' as const)]);
  }

  test('are answered at once five times, and then later and later', async () => {
    begin({ firstWaitMs: 60_000 });
    for (let time = 1; time <= 5; time += 1) expect(await answerTo('192.0.2.1')).toBe(true);
    expect(await answerTo('192.0.2.1')).toBe('LATER');
    expect(await answerTo('192.0.2.2')).toBe(true);
  });

  test('are forgiven after some time', async () => {
    begin({ firstWaitMs: 60_000, forgivenEveryMs: 1_000 });
    for (let time = 1; time <= 6; time += 1) await answerTo('192.0.2.1');
    nowMs += 2_000;
    expect(await answerTo('192.0.2.1')).toBe(true);
    expect(await answerTo('192.0.2.1')).toBe('LATER');
  });

  test('are refused when too many answers wait, for one address or in total', async () => {
    begin({ free: 0, firstWaitMs: 60_000, waitingPerAddress: 2, waitingInTotal: 3 });
    expect(await answerTo('192.0.2.1')).toBe('LATER');
    expect(await answerTo('192.0.2.1')).toBe('LATER');
    expect(await answerTo('192.0.2.1')).toBe(false);
    expect(await answerTo('192.0.2.2')).toBe('LATER');
    expect(await answerTo('192.0.2.3')).toBe(false);
  });

  test('of one /64 network count together, and a mapped IPv4 address counts as IPv4', async () => {
    begin({ free: 1, firstWaitMs: 60_000 });
    expect(await answerTo('2001:db8::1')).toBe(true);
    expect(await answerTo('2001:db8:0:0:ffff::2')).toBe('LATER');
    expect(await answerTo('2001:db8:0:1::1')).toBe(true);
    expect(await answerTo('::ffff:192.0.2.9')).toBe(true);
    expect(await answerTo('192.0.2.9')).toBe('LATER');
  });

  test('of one token count together, from any number of addresses', async () => {
    begin({ free: 1, firstWaitMs: 60_000 });
    const answers = ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((address) => failures.failed(address, 'stw_revoked'));
    const first = (answer: Promise<boolean> | undefined) => Promise.race([answer, turn().then(() => 'LATER' as const)]);
    expect(await Promise.all(answers.map(first))).toEqual([true, 'LATER', 'LATER']);
    expect(await first(failures.failed('192.0.2.4', 'stw_other'))).toBe(true);
  });

  test('end their wait when the server stops', async () => {
    begin({ free: 0, firstWaitMs: 60_000 });
    const answer = failures.failed('192.0.2.1');
    failures.stop();
    await expect(answer).resolves.toBe(true);
  });

  test('are logged as counts: the first failure at once, later failures together', async () => {
    begin({ free: 1_000 });
    for (let time = 1; time <= 300; time += 1) await failures.failed(`192.0.2.${time % 3}`);
    expect(lines).toEqual([{ failures: 1, addresses: 1, most: [{ address: '192.0.2.1', failures: 1 }] }]);
    failures.stop();
    expect(lines[1]).toMatchObject({ failures: 299, addresses: 3 });
    expect(lines).toHaveLength(2);
  });

  test('are still counted when they come from more addresses than are remembered', async () => {
    begin({ addresses: 10 });
    for (let time = 1; time <= 100; time += 1) await failures.failed(`10.0.0.${time}`);
    failures.stop();
    expect(lines.map((line) => line.failures)).toEqual([1, 99]);
  });
});
