import { describe, expect, test } from '@jest/globals';
import type { ServiceConnection } from '../engines/serviceConnection.js';
import { StowageError } from '../errors.js';
import { Secret } from '../secret.js';
import { askAgain, type Asked } from './askAgain.js';
import { withinLimits } from './limits.js';

const refused = new StowageError('SERVICE_AUTH', 'The login was refused.');

function withPassword(password: string): ServiceConnection {
  const tls = { mode: 'OFF', ca: null } as const;
  return {
    ...{ host: 'db', port: 3306, username: 'u', authSource: null, tls, databases: null },
    password: new Secret(password),
  };
}

/**
 * Asks a server that answers with the password that it was given, or fails; `stored` are what is read anew, in turn.
 */
async function asking(
  work: { stored?: readonly string[]; askAgainMs?: number; signal?: AbortSignal },
  answer: (password: string) => Promise<string>,
): Promise<{ readonly asked: Asked<string>; readonly tried: readonly string[] }> {
  const stored = [...(work.stored ?? [])];
  const tried: string[] = [];
  const input = {
    connection: withPassword('first'),
    ...(work.askAgainMs === undefined ? {} : { askAgainMs: work.askAgainMs }),
    ...(work.stored === undefined
      ? {}
      : { connectionNow: () => Promise.resolve(withPassword(stored.shift() ?? 'last')) }),
  };
  const signal = work.signal ?? new AbortController().signal;
  const asked = await withinLimits({ signal, stallTimeoutMs: 200, timeoutMs: null }, (limits) =>
    askAgain(input, limits, (connection) => {
      tried.push(connection.password?.reveal() ?? '');
      return answer(tried.at(-1) ?? '');
    }),
  );
  return { asked, tried };
}

describe('A server that is asked once more after a dump', () => {
  test('is asked with the password that is stored by then, also where that comes late', async () => {
    const { asked, tried } = await asking({ stored: ['first', 'new'] }, (password) =>
      password === 'new' ? Promise.resolve('an answer') : Promise.reject(refused),
    );
    expect(asked).toEqual({ answer: 'an answer' });
    expect(tried).toEqual(['first', 'first', 'new']);
  });

  test('is asked again where it did not answer', async () => {
    let times = 0;
    const gone = new StowageError('SERVICE_UNREACHABLE', 'Nobody answers.');
    const { asked } = await asking({}, () => ((times += 1) < 2 ? Promise.reject(gone) : Promise.resolve('an answer')));
    expect(asked).toEqual({ answer: 'an answer' });
  });

  test('is given up when the time is over, with why it refused', async () => {
    const { asked, tried } = await asking({ stored: [], askAgainMs: 700 }, () => Promise.reject(refused));
    expect(asked).toEqual({ failure: refused });
    expect(tried).toEqual(['first', 'last']);
  });

  test('is not asked again where waiting does not help', async () => {
    const missing = new StowageError('SERVICE_PRIVILEGE', 'SELECT is missing.');
    const { asked, tried } = await asking({ stored: [] }, () => Promise.reject(missing));
    expect(asked).toEqual({ failure: missing });
    expect(tried).toEqual(['first']);
  });

  test('ends with what is no refusal of the server', async () => {
    await expect(asking({ stored: [] }, () => Promise.reject(new TypeError('ours')))).rejects.toThrow('ours');
  });

  test('is asked no longer when the backup is aborted', async () => {
    const abort = new AbortController();
    const attempt = asking({ signal: abort.signal }, () => {
      setTimeout(() => abort.abort(new Error('cancelled by a person')), 10);
      return Promise.reject(refused);
    });
    await expect(attempt).rejects.toThrow('cancelled by a person');
  });
});
