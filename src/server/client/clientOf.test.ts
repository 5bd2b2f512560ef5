import type { IncomingMessage } from 'node:http';
import { expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { startTinyApi, token } from '../../../test/fixtures/api/tinyApi.js';
import { clientOf, identifyClient } from './clientOf.js';
import { noProxies, parseTrustedProxies } from './trustedProxies.js';

const proxies = parseTrustedProxies('10.0.0.0/8, 192.0.2.7, 2001:db8:1::/48');

/** What the API believes about a request of this peer. */
function clientFrom(peer: string | undefined, headers: Record<string, string> = {}, trusted = proxies) {
  const request = { socket: { remoteAddress: peer }, headers } as unknown as IncomingMessage;
  identifyClient(request, trusted);
  return clientOf(request);
}

const forwardedFor = (list: string) => ({ 'x-forwarded-for': list });

test.each([
  ['198.51.100.1', '203.0.113.9', '198.51.100.1', 'a stranger cannot choose an address'],
  ['10.0.0.1', '203.0.113.9', '203.0.113.9', 'a proxy names its client'],
  ['::ffff:10.0.0.1', '203.0.113.9', '203.0.113.9', 'a proxy may have the notation of IPv6'],
  ['10.0.0.1', 'invented, 203.0.113.9, 192.0.2.7', '203.0.113.9', 'what comes before the first stranger is ignored'],
  ['10.0.0.1', '127.0.0.1, 203.0.113.9', '203.0.113.9', 'a client cannot prepend an address'],
  ['10.0.0.1', '203.0.113.9:50612', '203.0.113.9', 'a port is removed'],
  ['2001:db8:1::5', '[2001:db8:2::1]:50612', '2001:db8:2::1', 'a port is removed in IPv6'],
  ['10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3', 'a proxy that is a client itself has its own address'],
  ['10.0.0.1', 'unknown', '10.0.0.1', 'a text that is no address is ignored'],
  ['10.0.0.1', '', '10.0.0.1', 'a proxy without the header has its own address'],
  [undefined, '203.0.113.9', undefined, 'a closed connection has no address'],
])('peer %s with X-Forwarded-For "%s" is %s: %s', (peer, list, address, _reason) => {
  expect(clientFrom(peer, forwardedFor(list)).address).toBe(address);
});

test('without trusted proxies no header is believed', () => {
  const headers = { ...forwardedFor('203.0.113.9'), 'x-forwarded-proto': 'https' };
  expect(clientFrom('10.0.0.1', headers, noProxies)).toEqual({ address: '10.0.0.1', isHttps: false });
});

test('only a trusted proxy states that the client uses https, and the nearest one decides', () => {
  const proto = (value: string) => ({ 'x-forwarded-proto': value });
  expect(clientFrom('10.0.0.1', proto('https')).isHttps).toBe(true);
  expect(clientFrom('10.0.0.1', proto('https, http')).isHttps).toBe(false);
  expect(clientFrom('198.51.100.1', proto('https')).isHttps).toBe(false);
});

test('behind a trusted proxy the limits apply to each client, and browsers are kept on https', async () => {
  const api = await startTinyApi(
    { requestsOfAddress: 1, pendingSocketsOfAddress: 1 },
    undefined,
    parseTrustedProxies('127.0.0.1'),
  );
  try {
    const post = async (headers: Record<string, string>) => {
      const response = await fetch(`${api.server.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...headers },
        body: JSON.stringify({ query: '{ hello }' }),
      });
      return [response.status, response.headers.get('strict-transport-security')];
    };
    expect(await post(forwardedFor('203.0.113.1'))).toEqual([200, null]);
    expect(await post(forwardedFor('203.0.113.1'))).toEqual([429, null]);
    expect(await post({ ...forwardedFor('203.0.113.2'), 'x-forwarded-proto': 'https' })).toEqual([
      200,
      'max-age=31536000',
    ]);
    const url = `${api.server.url.replace('http', 'ws')}/graphql`;
    const open = (address: string) => new WebSocket(url, 'graphql-transport-ws', { headers: forwardedFor(address) });
    const statusOf = (socket: WebSocket) =>
      new Promise<number>((resolve) => {
        socket.once('open', () => resolve(101));
        socket.once('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
        socket.on('error', () => undefined);
      });
    const sockets = [open('203.0.113.1'), open('203.0.113.2')];
    expect(await Promise.all(sockets.map(statusOf))).toEqual([101, 101]);
    sockets.push(open('203.0.113.2'));
    expect(await Promise.all(sockets.slice(2).map(statusOf))).toEqual([503]);
    for (const socket of sockets) socket.terminate();
  } finally {
    await api.server.close();
  }
});
