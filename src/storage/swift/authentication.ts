import { authenticateWithKeystone } from './keystone.js';
import type { LoginRequest, SwiftLogin } from './login.js';
import { authenticateWithV1 } from './v1.js';

/** Logs in by the kind of credentials. Throws ENDPOINT_AUTH, ENDPOINT_NOT_FOUND or ENDPOINT_UNREACHABLE. Tries once. */
export function authenticate(request: LoginRequest): Promise<SwiftLogin> {
  const { credentials } = request.settings;
  return credentials.kind === 'V1'
    ? authenticateWithV1(request, credentials)
    : authenticateWithKeystone(request, credentials);
}
