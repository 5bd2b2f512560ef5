import { StowageError } from '../../errors.js';
import type { HttpClient } from '../http/httpClient.js';
import { httpUrl } from '../http/httpUrl.js';
import type { SwiftSettings } from './swiftSettings.js';

/** A successful login. */
export type SwiftLogin = {
  /** The token, a header value. Until it expires, it is as secret as the password. */
  readonly token: string;
  /** Milliseconds since 1970, by our clock. */
  readonly expiresAt: number;
  /** The address of the account's containers. Throws ENDPOINT_NOT_FOUND if the login names none. */
  readonly storageUrl: () => URL;
};

export type LoginRequest = {
  readonly settings: SwiftSettings;
  readonly http: HttpClient;
  readonly signal: AbortSignal;
};

/** Checks the address from a login like an address from a person. */
export function checkedStorageUrl(text: string, who: string): URL {
  if (httpUrl('')(text) !== undefined) {
    throw new StowageError('ENDPOINT_NOT_FOUND', `${who} names no usable address for the object storage.`, {
      help: 'Report it to the operator of the cloud: its catalogue is wrong.',
    });
  }
  return new URL(text);
}

export function busy(who: string, status: number): StowageError {
  return new StowageError('ENDPOINT_UNREACHABLE', `${who} answered ${status}: it is broken or overloaded.`, {
    help: 'Try again in a moment. If it recurs, report it to the operator of the cloud.',
  });
}
