import { StowageError } from '../../errors.js';
import { drop, type HttpAnswer } from '../http/httpClient.js';
import { busy, checkedStorageUrl, type LoginRequest, type SwiftLogin } from './login.js';
import type { SwiftSettings } from './swiftSettings.js';
import { transportError } from '../http/transportErrors.js';

/**
 * The v1 login of Swift's tempauth, of swauth and of Ceph's gateway: two headers in the request, and two in the answer.
 */
export async function authenticateWithV1(
  { settings, http, signal }: LoginRequest,
  { user, key }: Extract<SwiftSettings['credentials'], { kind: 'V1' }>,
): Promise<SwiftLogin> {
  const url = new URL(settings.authUrl);
  const who = `The login service at ${url.host}`;
  let answer: HttpAnswer;
  try {
    answer = await http.request({
      method: 'GET',
      origin: url.origin,
      path: url.pathname,
      headers: { 'x-auth-user': user, 'x-auth-key': key.reveal() },
      signal,
    });
  } catch (error) {
    signal.throwIfAborted();
    throw transportError(error, who);
  }
  await drop(answer);
  const token = answer.header('x-auth-token');
  const storageUrl = answer.header('x-storage-url');
  if (answer.status === 401 || answer.status === 403) {
    throw new StowageError('ENDPOINT_AUTH', `${who} refused user '${user}' or the key.`, {
      help: 'Check the user (account:user) and the key.',
    });
  }
  if (answer.status >= 500 || answer.status === 429) throw busy(who, answer.status);
  if (answer.status >= 300 || token === '') {
    throw new StowageError('ENDPOINT_NOT_FOUND', `${who} has no v1 login at ${url.pathname} (${answer.status}).`, {
      help: 'The auth URL of a v1 login ends in /auth/v1.0. If this is Keystone, use a service user instead.',
    });
  }
  return {
    token,
    expiresAt: Date.now() + lifeMs(answer.header('x-auth-token-expires')),
    storageUrl: () => checkedStorageUrl(storageUrl, who),
  };
}

/** The default is an hour. If the token expires earlier, the storage answers 401, and the token is renewed. */
function lifeMs(seconds: string): number {
  return /^\d+$/.test(seconds) ? Number(seconds) * 1000 : 3_600_000;
}
