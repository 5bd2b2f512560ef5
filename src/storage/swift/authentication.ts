import { authenticateWithKeystone } from './keystone.js';
import type { LoginRequest, SwiftLogin } from './login.js';
import { authenticateWithV1 } from './v1.js';

/** Logs in once, without retries. Throws ENDPOINT_AUTH, ENDPOINT_NOT_FOUND or ENDPOINT_UNREACHABLE. */
export function authenticate(request: LoginRequest): Promise<SwiftLogin> {
  const { credentials } = request.settings;
  return credentials.kind === 'V1'
    ? authenticateWithV1(request, credentials)
    : authenticateWithKeystone(request, credentials);
}
