import { describe, expect, test } from '@jest/globals';
import { Secret } from '../../secret.js';
import type { SwiftLogin } from './login.js';
import { LoginCache, loginKey } from './loginCache.js';

const storageUrl = () => new URL('http://storage.example.com/v1/AUTH_a');
const login = (token: string, expiresAt = 1_000_000): SwiftLogin => ({ token, expiresAt, storageUrl });

describe('the cache of logins', () => {
  test('logs in once for several concurrent calls', async () => {
    let logins = 0;
    const cache = new LoginCache(() => 0);
    const cachedLogin = () => cache.get('a', () => Promise.resolve(login(String((logins += 1)))));
    const tokens = (await Promise.all([cachedLogin(), cachedLogin(), cachedLogin()])).map(({ token }) => token);
    expect(tokens).toEqual(['1', '1', '1']);
  });

  test('renews a refused login once for several callers', async () => {
    let logins = 0;
    const cache = new LoginCache(() => 0);
    const logIn = () => Promise.resolve(login(String((logins += 1))));
    const old = await cache.get('a', logIn);
    const renewed = await Promise.all([cache.get('a', logIn, old), cache.get('a', logIn, old)]);
    expect(renewed.map(({ token }) => token)).toEqual(['2', '2']);
    expect((await cache.get('a', logIn, old)).token).toBe('2');
  });

  test('returns no expired login and keeps no failed one', async () => {
    let now = 0;
    const cache = new LoginCache(() => now);
    await expect(cache.get('a', () => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
    await cache.get('a', () => Promise.resolve(login('1', 5000)));
    now = 4500;
    expect((await cache.get('a', () => Promise.resolve(login('2')))).token).toBe('2');
  });

  test('has another key for another password, and the key does not reveal the password', () => {
    const settings = (key: string) => ({
      authUrl: 'http://a/auth/v1.0',
      container: 'c',
      credentials: { kind: 'V1', user: 'test:tester', key: new Secret(key) } as const,
    });
    expect(loginKey(settings('one'))).not.toBe(loginKey(settings('two')));
    expect(loginKey(settings('one'))).toBe(loginKey(settings('one')));
    expect(loginKey(settings('one'))).toMatch(/^[0-9a-f]{64}$/);
  });
});
