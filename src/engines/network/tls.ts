import { isIP } from 'node:net';
import { StowageError } from '../../errors.js';
import type { ServiceConnection } from '../serviceConnection.js';

/** Options for Node's TLS; undefined: no TLS. */
export function tlsOptions({
  tls,
}: ServiceConnection): { readonly rejectUnauthorized: boolean; readonly ca?: string } | undefined {
  if (tls.mode === 'OFF') return undefined;
  const rejectUnauthorized = tls.mode === 'VERIFY';
  return { rejectUnauthorized, ...(rejectUnauthorized && tls.ca !== null ? { ca: tls.ca } : {}) };
}

/**
 * Throws SERVICE_UNREACHABLE if a certificate would have to be compared with an IP address. For an IP address, some
 * drivers would accept a certificate for `localhost`.
 */
export function refuseUnverifiableHost({ host, tls }: ServiceConnection): void {
  if (tls.mode !== 'VERIFY' || isIP(host) === 0) return;
  throw new StowageError('SERVICE_UNREACHABLE', `TLS mode VERIFY needs a host name, and ${host} is an IP address.`, {
    help: 'Use the host name that the certificate contains, or set the TLS mode to REQUIRE.',
    retriable: false,
  });
}
