import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { TrustedProxies } from './trustedProxies.js';

/** The client of a request, behind the trusted proxies. */
export type Client = {
  /** An IPv4 address is never in the notation of IPv6. Undefined: the connection is closed already. */
  readonly address: string | undefined;
  /** Whether a trusted proxy states that the client uses https. */
  readonly isHttps: boolean;
};

const clients = new WeakMap<IncomingMessage, Client>();

/** Determines the client of a request. Called once for each request, before anything else. */
export function identifyClient(request: IncomingMessage, proxies: TrustedProxies): void {
  const peer = plainAddress(request.socket.remoteAddress);
  const isProxied = peer !== undefined && proxies.includes(peer);
  clients.set(request, {
    address: isProxied ? addressBehind(peer, headerList(request, 'x-forwarded-for'), proxies) : peer,
    isHttps: isProxied && headerList(request, 'x-forwarded-proto').at(-1)?.toLowerCase() === 'https',
  });
}

/** The client of a request. Without trusted proxies it is the other end of the connection. */
export function clientOf(request: IncomingMessage): Client {
  return clients.get(request) ?? { address: plainAddress(request.socket.remoteAddress), isHttps: false };
}

export function clientAddressOf(request: IncomingMessage): string | undefined {
  return clientOf(request).address;
}

/**
 * Each proxy appends the address of its own client. So the list is read from its end, up to the first address that is no
 * trusted proxy: everything before it may be invented.
 */
function addressBehind(peer: string, forwardedFor: readonly string[], proxies: TrustedProxies): string {
  let address = peer;
  for (const hop of forwardedFor.toReversed()) {
    const next = plainAddress(withoutPort(hop));
    if (next === undefined) break;
    address = next;
    if (!proxies.includes(next)) break;
  }
  return address;
}

function headerList(request: IncomingMessage, name: string): readonly string[] {
  const value = request.headers[name] ?? '';
  return (Array.isArray(value) ? value.join(',') : value).split(',').map((each) => each.trim());
}

/** Some proxies append the port, as in `192.0.2.1:50612` or `[2001:db8::1]:50612`. */
function withoutPort(hop: string): string {
  const { groups } = /^(?:\[(?<v6>[^\]]+)\]|(?<v4>\d+\.\d+\.\d+\.\d+))(?::\d+)?$/.exec(hop) ?? {};
  return groups?.['v6'] ?? groups?.['v4'] ?? hop;
}

export function plainAddress(address: string | undefined): string | undefined {
  const plain = address?.replace(/^::ffff:(?=\d+\.)/i, '');
  return plain !== undefined && isIP(plain) !== 0 ? plain : undefined;
}
