import { createHash } from 'node:crypto';
import type { SwiftLogin } from './login.js';
import type { SwiftSettings } from './swiftSettings.js';

/**
 * Caches logins by credentials, so that many storages of one Service User share one login, even while it is pending. A
 * failed login is not kept. The cache holds the last 200 logins.
 */
export class LoginCache {
  readonly #logins = new Map<string, Promise<SwiftLogin>>();

  constructor(private readonly now: () => number = Date.now) {}

  /**
   * The cached login of `key`, or a new one by `logIn`. `refused` is a login that the storage no longer accepts. The
   * first caller that passes it creates a new login for all.
   */
  async get(key: string, logIn: () => Promise<SwiftLogin>, refused?: SwiftLogin): Promise<SwiftLogin> {
    const known = this.#logins.get(key);
    if (known !== undefined) {
      const login = await known.catch(() => undefined);
      if (login !== undefined && login !== refused && login.expiresAt - this.now() > 1000) return login;
      // Another caller may have begun a new login during the wait.
      const newer = this.#logins.get(key);
      if (newer !== undefined && newer !== known) return newer;
    }
    const login = logIn();
    this.#logins.delete(key);
    this.#logins.set(key, login);
    login.catch(() => {
      if (this.#logins.get(key) === login) this.#logins.delete(key);
    });
    const [oldest] = this.#logins.keys();
    if (this.#logins.size > 200 && oldest !== undefined) this.#logins.delete(oldest);
    return login;
  }
}

/** A hash of everything that determines a login, including the password. The hash reveals none of these values. */
export function loginKey(settings: SwiftSettings): string {
  const { authUrl, region, credentials } = settings;
  const parts =
    credentials.kind === 'V1'
      ? [credentials.user, credentials.key.reveal()]
      : [
          credentials.username,
          credentials.userDomain,
          credentials.project,
          credentials.projectDomain,
          credentials.password.reveal(),
        ];
  return createHash('sha256')
    .update(JSON.stringify([authUrl, region ?? null, credentials.kind, ...parts]))
    .digest('hex');
}
