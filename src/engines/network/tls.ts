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
 * Throws SERVICE_UNREACHABLE where a certificate would have to be compared with an IP address. Drivers that compare it
 * with host names only would accept one for `localhost` there.
 */
export function refuseUnverifiableHost({ host, tls }: ServiceConnection): void {
  if (tls.mode !== 'VERIFY' || isIP(host) === 0) return;
  throw new StowageError('SERVICE_UNREACHABLE', `TLS mode VERIFY needs a host name, and ${host} is an address.`, {
    help: 'Name the host as in its certificate, or set the TLS mode to REQUIRE.',
    retriable: false,
  });
}
