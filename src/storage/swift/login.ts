import { StowageError } from '../../errors.js';
import type { HttpClient } from '../http/httpClient.js';
import { httpUrl } from '../http/httpUrl.js';
import type { SwiftSettings } from './swiftSettings.js';

/** A login that worked. */
export type SwiftLogin = {
  /** Header value; as secret as the password while it lives. */
  readonly token: string;
  /** Milliseconds since 1970, by our clock. */
  readonly expiresAt: number;
  /** Where the account's containers are; throws ENDPOINT_NOT_FOUND if the login does not say. */
  readonly storageUrl: () => URL;
};

export type LoginRequest = {
  readonly settings: SwiftSettings;
  readonly http: HttpClient;
  readonly signal: AbortSignal;
};

/** What a login says about where the objects are is checked like what a person typed. */
export function checkedStorageUrl(text: string, who: string): URL {
  if (httpUrl('')(text) !== undefined) {
    throw new StowageError('ENDPOINT_NOT_FOUND', `${who} names no usable address for the object storage.`, {
      help: 'Tell whoever runs the cloud: its catalogue is not in order.',
    });
  }
  return new URL(text);
}

export function busy(who: string, status: number): StowageError {
  return new StowageError(
    'ENDPOINT_UNREACHABLE',
    `${who} answered ${status}: it is in trouble or has too much to do.`,
    {
      help: 'Try again in a moment; if it stays so, tell whoever runs the cloud.',
    },
  );
}
