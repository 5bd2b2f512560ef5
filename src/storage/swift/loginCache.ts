import { createHash } from 'node:crypto';
import type { SwiftLogin } from './login.js';
import type { SwiftSettings } from './swiftSettings.js';

/**
 * Logins by credentials, so that many storages of one Service User log in once. A login that is under way is shared;
 * one that fails is forgotten. Holds the last 200.
 */
export class LoginCache {
  readonly #logins = new Map<string, Promise<SwiftLogin>>();

  constructor(private readonly now: () => number = Date.now) {}

  /**
   * The login of `key`, or what `logIn` gives. `refused`: a login that the storage no longer takes; whoever comes first
   * with it makes the new one.
   */
  async get(key: string, logIn: () => Promise<SwiftLogin>, refused?: SwiftLogin): Promise<SwiftLogin> {
    const known = this.#logins.get(key);
    if (known !== undefined) {
      const login = await known.catch(() => undefined);
      if (login !== undefined && login !== refused && login.expiresAt - this.now() > 1000) return login;
      // Somebody else may have begun a new one while we waited for the old.
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

/** Differs when anything differs that makes another login, the password included; tells none of it. */
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
