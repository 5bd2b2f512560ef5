import { StowageError } from '../../errors.js';
import { TargetNotAllowed, targetNotAllowedHelp } from '../allowedTargets.js';

/** Explains why no answer came. `who` is the server, for example `Keystone at example.com`. */
export function transportError(error: unknown, who: string): StowageError {
  if (error instanceof StowageError) return error;
  const cause = rootCause(error);
  const code = codeOf(cause);
  const unreachable = (sentence: string, help?: string, retriable?: boolean) =>
    new StowageError('ENDPOINT_UNREACHABLE', `${who} ${sentence}`, {
      cause: error,
      ...(help === undefined ? {} : { help }),
      ...(retriable === undefined ? {} : { retriable }),
    });

  if (cause instanceof TargetNotAllowed) {
    return unreachable(`was not contacted: ${cause.message}.`, targetNotAllowedHelp, false);
  }
  if (isTlsProblem(code)) {
    return unreachable(
      `has a TLS certificate or protocol that cannot be trusted (${code}).`,
      code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'EPROTO'
        ? 'The port does not use TLS. Write http:// if the storage has no TLS, or correct the port.'
        : 'Use the host name that the certificate contains. If the certificate is signed by your own CA, the operator sets NODE_EXTRA_CA_CERTS to that CA.',
      false,
    );
  }
  switch (code) {
    case 'ENOTFOUND':
      return unreachable('is unknown: the name does not resolve.', 'Check the spelling of the host.');
    case 'EAI_AGAIN':
      return unreachable('could not be resolved: the name server does not answer.');
    case 'ECONNREFUSED':
      return unreachable('refused the connection.', 'Check the port, and that the service is running.');
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return unreachable(`cannot be reached over the network (${code}).`);
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'ETIMEDOUT':
      return unreachable(
        'did not accept the connection in time.',
        'Check the host, the port and the firewalls on the way.',
      );
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return unreachable('stopped answering.');
    default:
      return unreachable(`ended the connection before its answer was complete${code === '' ? '' : ` (${code})`}.`);
  }
}

/** Whether the same request may succeed soon. False after a wrong certificate or a forbidden address. */
export function mayPass(error: unknown): boolean {
  if (error instanceof StowageError) return error.code === 'ENDPOINT_UNREACHABLE' && error.retriable;
  const cause = rootCause(error);
  return !(cause instanceof TargetNotAllowed) && !isTlsProblem(codeOf(cause));
}

function isTlsProblem(code: string): boolean {
  return /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO)/.test(code);
}

/** If several addresses failed, Node throws an AggregateError. Its first error is enough to explain the failure. */
function rootCause(error: unknown): unknown {
  if (typeof error !== 'object' || error === null) return error;
  if ('errors' in error && Array.isArray(error.errors) && error.errors.length > 0) return rootCause(error.errors[0]);
  if (codeOf(error) === '' && 'cause' in error && error.cause !== undefined) return rootCause(error.cause);
  return error;
}

function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}
