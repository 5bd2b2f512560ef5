import { describe, expect, test } from '@jest/globals';
import type { ServiceConnection } from '../engines/serviceConnection.js';
import { setTimeout as pause } from 'node:timers/promises';
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

/** `answer` gets the password of each query. `stored` are the passwords that are read before each later query. */
async function askWith(
  work: { stored?: readonly string[] | 'UNREADABLE'; askAgainMs?: number; signal?: AbortSignal },
  answer: (password: string) => Promise<string>,
): Promise<{ readonly result: Asked<string>; readonly passwords: readonly string[] }> {
  const stored = typeof work.stored === 'object' ? [...work.stored] : [];
  const connectionNow = () =>
    work.stored === 'UNREADABLE'
      ? Promise.reject(new Error('The database of the log does not answer.'))
      : Promise.resolve(withPassword(stored.shift() ?? 'last'));
  const passwords: string[] = [];
  const input = {
    connection: withPassword('first'),
    ...(work.askAgainMs === undefined ? {} : { askAgainMs: work.askAgainMs }),
    ...(work.stored === undefined ? {} : { connectionNow }),
  };
  const signal = work.signal ?? new AbortController().signal;
  const result = await withinLimits({ signal, stallTimeoutMs: 200, timeoutMs: null }, (limits) =>
    askAgain(input, limits, (connection) => {
      passwords.push(connection.password?.reveal() ?? '');
      return answer(passwords.at(-1) ?? '');
    }),
  );
  return { result, passwords };
}

describe('A query after a dump', () => {
  test('uses the password that is stored at that moment, also if the new password is stored late', async () => {
    const { result, passwords } = await askWith({ stored: ['first', 'new'] }, (password) =>
      password === 'new' ? Promise.resolve('an answer') : Promise.reject(refused),
    );
    expect(result).toEqual({ answer: 'an answer' });
    expect(passwords).toEqual(['first', 'first', 'new']);
  });

  test('is sent again if the server did not answer', async () => {
    let times = 0;
    const gone = new StowageError('SERVICE_UNREACHABLE', 'Nobody answers.');
    const { result } = await askWith({}, () =>
      (times += 1) < 2 ? Promise.reject(gone) : Promise.resolve('an answer'),
    );
    expect(result).toEqual({ answer: 'an answer' });
  });

  test('is sent again if another session held a lock, for the whole time from the first failure on', async () => {
    let times = 0;
    const { result } = await askWith({ askAgainMs: 600 }, async () => {
      times += 1;
      if (times > 1) return 'an answer';
      await pause(120);
      throw new StowageError('SERVICE_BUSY', 'Somebody holds a lock.');
    });
    expect(result).toEqual({ answer: 'an answer' });
  });

  test('uses the last known password if the stored one cannot be read', async () => {
    let times = 0;
    const { result, passwords } = await askWith({ stored: 'UNREADABLE' }, () =>
      (times += 1) < 2 ? Promise.reject(refused) : Promise.resolve('an answer'),
    );
    expect({ asked: result, tried: passwords }).toEqual({ asked: { answer: 'an answer' }, tried: ['first', 'first'] });
  });

  test('fails with the last refusal when the time is over', async () => {
    const { result, passwords } = await askWith({ stored: [], askAgainMs: 700 }, () => Promise.reject(refused));
    expect(result).toEqual({ failure: refused });
    expect(passwords).toEqual(['first', 'last']);
  });

  test('is not sent again if waiting does not help', async () => {
    const missing = new StowageError('SERVICE_PRIVILEGE', 'SELECT is missing.');
    const { result, passwords } = await askWith({ stored: [] }, () => Promise.reject(missing));
    expect(result).toEqual({ failure: missing });
    expect(passwords).toEqual(['first']);
  });

  test('throws an error that is not a refusal of the server', async () => {
    await expect(askWith({ stored: [] }, () => Promise.reject(new TypeError('ours')))).rejects.toThrow('ours');
  });

  test('is not sent again after the backup is aborted', async () => {
    const abort = new AbortController();
    const attempt = askWith({ signal: abort.signal }, () => {
      setTimeout(() => abort.abort(new Error('cancelled by a person')), 10);
      return Promise.reject(refused);
    });
    await expect(attempt).rejects.toThrow('cancelled by a person');
  });
});
