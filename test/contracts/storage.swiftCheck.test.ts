import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { CheckStep } from '../../src/check.js';
import { Secret } from '../../src/secret.js';
import { parseAllowedTargets } from '../../src/storage/allowedTargets.js';
import { swiftDriver } from '../../src/storage/swift/swiftDriver.js';
import type { SwiftSettings } from '../../src/storage/swift/swiftSettings.js';
import { startFaultProxy, type FaultProxy } from '../fixtures/servers/faultProxy.js';
import { keystoneMissing, startKeystone, type KeystoneServer } from '../fixtures/servers/keystone.js';
import { describeWith } from '../fixtures/requirements.js';
import { swiftMissing } from '../fixtures/servers/swift.js';

const signal = new AbortController().signal;
const check = (settings: SwiftSettings, timeoutMs = 120_000) => swiftDriver.check(settings, { signal, timeoutMs });
const failedStep = (steps: readonly CheckStep[]) => steps.find(({ status }) => status === 'FAILED');

describeWith({ swift: swiftMissing, keystone: keystoneMissing }, 'Validate for a Swift endpoint', () => {
  let keystone: KeystoneServer;
  let proxy: FaultProxy;
  let silent: Server;

  beforeAll(async () => {
    keystone = await startKeystone();
    proxy = await startFaultProxy(keystone.swift.url);
    silent = createServer((socket) => socket.on('error', () => undefined));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const storage = swiftDriver.open(keystone.settings('backups'));
    await storage.putBytes('there', Buffer.from('x'), { signal });
    await storage.close();
    const v1 = swiftDriver.open(keystone.swift.settings('backups'));
    await v1.putBytes('there', Buffer.from('x'), { signal });
    await v1.close();
  });
  afterAll(async () => {
    silent.close();
    await proxy.stop();
    await keystone.stop();
  });

  const serviceUser = (changes: Partial<Extract<SwiftSettings['credentials'], { kind: 'SERVICE_USER' }>>) => {
    const settings = keystone.settings('backups');
    if (settings.credentials.kind !== 'SERVICE_USER') throw new Error('The fixture gives a service user.');
    return { ...settings, createContainer: false, credentials: { ...settings.credentials, ...changes } };
  };
  const v1 = (changes: Partial<SwiftSettings> = {}): SwiftSettings => ({
    ...keystone.swift.settings('backups', proxy.url),
    createContainer: false,
    ...changes,
  });
  async function names(settings: SwiftSettings): Promise<string[]> {
    const storage = swiftDriver.open(settings);
    const found: string[] = [];
    for await (const { name } of storage.list('', { signal })) found.push(name);
    await storage.close();
    return found;
  }

  test('succeeds in every step for a service user and for a v1 user, and leaves nothing behind', async () => {
    for (const settings of [serviceUser({}), v1()]) {
      const steps = await check(settings);
      expect(steps.map(({ name, status }) => `${name} ${status}`)).toEqual([
        'RESOLVE OK',
        'AUTHENTICATE OK',
        'CATALOG OK',
        'CONTAINER OK',
        'WRITE OK',
        'READ_BACK OK',
        'DELETE OK',
        'CAPABILITIES OK',
      ]);
      expect(await names(settings)).toEqual(['there']);
    }
  });

  test('the auth URL may end with or without /v3', async () => {
    const authUrl = keystone.authUrl.replace(/\/v3$/, '');
    expect(failedStep(await check({ ...serviceUser({}), authUrl }))).toBeUndefined();
    expect(failedStep(await check({ ...serviceUser({}), authUrl: `${authUrl}/v3/` }))).toBeUndefined();
  });

  test('creates a missing container for the check if the endpoint wants it, and removes it again', async () => {
    const settings = { ...keystone.settings('not yet'), createContainer: true };
    expect(failedStep(await check(settings))).toBeUndefined();
    expect(failedStep(await check({ ...settings, createContainer: false }))).toMatchObject({
      name: 'CONTAINER',
      code: 'ENDPOINT_NOT_FOUND',
      message: expect.stringContaining("'not yet'"),
    });
  });

  const failures: readonly [string, () => SwiftSettings, object][] = [
    [
      'a URL of another scheme',
      () => v1({ authUrl: 'ftp://127.0.0.1/' }),
      { name: 'RESOLVE', code: 'BAD_INPUT', message: expect.stringContaining('neither http nor https') },
    ],
    [
      'credentials in the URL, which are not repeated,',
      () => v1({ authUrl: 'http://user:geheim@127.0.0.1/auth/v1.0' }),
      { name: 'RESOLVE', code: 'BAD_INPUT', message: expect.not.stringContaining('geheim') },
    ],
    [
      'an unknown host',
      () => v1({ authUrl: 'http://no-such-host.invalid/auth/v1.0' }),
      {
        name: 'RESOLVE',
        code: 'ENDPOINT_UNREACHABLE',
        message: expect.stringMatching(/unknown|could not be resolved/),
      },
    ],
    [
      'a closed port',
      () => v1({ authUrl: 'http://127.0.0.1:1/auth/v1.0' }),
      { name: 'RESOLVE', code: 'ENDPOINT_UNREACHABLE', message: expect.stringContaining('refused') },
    ],
    [
      'TLS with a server without TLS',
      () => v1({ authUrl: `${proxy.url.replace('http:', 'https:')}/auth/v1.0` }),
      { name: 'RESOLVE', code: 'ENDPOINT_UNREACHABLE', message: expect.stringContaining('TLS') },
    ],
    [
      'a host that is not allowed',
      () =>
        v1({
          authUrl: 'http://169.254.169.254/auth/v1.0',
          allowHost: parseAllowedTargets('default,loopback').allowsHost,
        }),
      { name: 'RESOLVE', code: 'ENDPOINT_UNREACHABLE', hint: expect.stringContaining('STOWAGE_ALLOWED_TARGETS') },
    ],
    [
      'a catalogue with a host that is not allowed',
      () => ({ ...serviceUser({}), region: 'RegionTwo', allowHost: (host: string) => host !== 'localhost' }),
      { name: 'CONTAINER', code: 'ENDPOINT_UNREACHABLE', message: expect.stringContaining('localhost') },
    ],
    [
      'a v1 login that does not exist',
      () => v1({ authUrl: `${proxy.url}/v3` }),
      { name: 'AUTHENTICATE', code: expect.stringMatching(/ENDPOINT_(NOT_FOUND|AUTH)/) },
    ],
    [
      'a server that is not Keystone',
      () => ({ ...serviceUser({}), authUrl: `${proxy.url}/healthcheck` }),
      { name: 'AUTHENTICATE', code: expect.stringMatching(/ENDPOINT_(NOT_FOUND|AUTH)/) },
    ],
    [
      'a wrong key',
      () => v1({ credentials: { kind: 'V1', user: 'test:tester', key: new Secret('wrong') } }),
      { name: 'AUTHENTICATE', code: 'ENDPOINT_AUTH', message: expect.stringContaining("'test:tester'") },
    ],
    [
      'a wrong password',
      () => serviceUser({ password: new Secret('wrong') }),
      { name: 'AUTHENTICATE', code: 'ENDPOINT_AUTH', message: expect.stringContaining('or the password') },
    ],
    [
      'a wrong domain of the user',
      () => serviceUser({ userDomain: 'corp' }),
      { name: 'AUTHENTICATE', code: 'ENDPOINT_AUTH', message: expect.stringContaining("domain 'corp'") },
    ],
    [
      'a project that does not exist',
      () => serviceUser({ project: 'nothing' }),
      { name: 'AUTHENTICATE', code: 'ENDPOINT_AUTH', message: expect.stringContaining("project 'nothing'") },
    ],
    [
      'a project in which the user has no role',
      () => serviceUser({ username: 'nobody', password: new Secret('nobodypass') }),
      { name: 'AUTHENTICATE', code: 'ENDPOINT_AUTH', message: expect.stringContaining('has no role') },
    ],
    [
      'a region that is not in the catalogue',
      () => ({ ...serviceUser({}), region: 'RegionNine' }),
      { name: 'CATALOG', code: 'ENDPOINT_NOT_FOUND', hint: expect.stringContaining("'RegionOne', 'RegionTwo'") },
    ],
    [
      'no region although there are several',
      () => {
        const { region: _, ...rest } = serviceUser({});
        return rest;
      },
      { name: 'CATALOG', code: 'ENDPOINT_NOT_FOUND', message: expect.stringContaining("'RegionOne', 'RegionTwo'") },
    ],
    [
      'a container that does not exist',
      () => v1({ container: 'nowhere' }),
      { name: 'CONTAINER', code: 'ENDPOINT_NOT_FOUND', message: expect.stringContaining("'nowhere'") },
    ],
    [
      'a container that the user may not read',
      () => v1({ credentials: { kind: 'V1', user: 'test:reader', key: new Secret('reading') } }),
      { name: 'CONTAINER', code: 'ENDPOINT_FORBIDDEN' },
    ],
    [
      'a container that may be read but not written',
      () => serviceUser({ username: 'reader', password: new Secret('readerpass') }),
      { name: 'WRITE', code: 'ENDPOINT_FORBIDDEN' },
    ],
  ];
  test.each(failures)(
    'reports %s as a failure of its own step, with a hint, and skips the rest',
    async (_, settings, expected) => {
      proxy.heal();
      const steps = await check(settings());
      const failed = failedStep(steps);
      expect(failed).toMatchObject(expected);
      expect(failed?.hint).not.toBe('');
      const at = steps.findIndex(({ status }) => status === 'FAILED');
      expect(steps.slice(0, at).every(({ status }) => status === 'OK')).toBe(true);
      expect(steps.slice(at + 1).every(({ status }) => status === 'SKIPPED')).toBe(true);
      expect(steps).toHaveLength(8);
    },
  );

  test.each([
    ['a used up quota', 'PUT', { kind: 'answer', status: 413 }, 'WRITE', 'ENDPOINT_QUOTA'],
    [
      'a probe that has disappeared when it is read',
      'GET',
      { kind: 'answer', status: 404 },
      'READ_BACK',
      'ENDPOINT_NOT_FOUND',
    ],
    ['no privilege to delete', 'DELETE', { kind: 'answer', status: 403 }, 'DELETE', 'ENDPOINT_FORBIDDEN'],
  ] as const)(
    'reports %s as a failure of its own step, and still removes the probe',
    async (_, method, fault, name, code) => {
      proxy.heal();
      proxy.inject({ method, path: /stowage-probe/, fault });
      expect(failedStep(await check(v1()))).toMatchObject({ name, code });
      expect(await names(v1())).toEqual(['there']);
    },
  );

  test('distinguishes a catalogue without an object store from one without the region', async () => {
    const catalog = createServer((socket) => {
      const body = JSON.stringify({
        token: { issued_at: '2026-01-01T00:00:00Z', expires_at: '2026-01-01T01:00:00Z', catalog: [] },
      });
      socket.on('error', () => undefined);
      socket.once('data', () => {
        socket.end(
          `HTTP/1.1 201 Created\r\nX-Subject-Token: t\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
        );
      });
    });
    await new Promise<void>((resolve) => catalog.listen(0, '127.0.0.1', resolve));
    const authUrl = `http://127.0.0.1:${(catalog.address() as AddressInfo).port}/v3`;
    const failed = failedStep(await check({ ...serviceUser({}), authUrl }));
    catalog.close();
    expect(failed).toMatchObject({ name: 'CATALOG', message: expect.stringContaining('lists no object store in the') });
  });

  test('fails in the step that takes too long, and ends in time', async () => {
    const began = performance.now();
    const authUrl = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/auth/v1.0`;
    expect(failedStep(await check(v1({ authUrl }), 1000))).toMatchObject({
      name: 'RESOLVE',
      code: 'ENDPOINT_UNREACHABLE',
      message: expect.stringContaining('still waiting'),
    });
    expect(performance.now() - began).toBeLessThan(15_000);

    proxy.heal();
    proxy.inject({ method: 'PUT', path: /stowage-probe/, fault: { kind: 'stall' } });
    expect(failedStep(await check(v1(), 1500))).toMatchObject({ name: 'WRITE', code: 'ENDPOINT_UNREACHABLE' });
  });

  test('fails RESOLVE with a hint if a certificate is not trusted', async () => {
    const { key, cert } = await selfSigned();
    const server = createTlsServer({ key, cert });
    server.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const authUrl = `https://127.0.0.1:${(server.address() as AddressInfo).port}/auth/v1.0`;
    const failed = failedStep(await check(v1({ authUrl })));
    server.close();
    expect(failed).toMatchObject({
      name: 'RESOLVE',
      code: 'ENDPOINT_UNREACHABLE',
      message: expect.stringContaining('SELF_SIGNED'),
      hint: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
    });
  });

  test('ends with the reason of an abort', async () => {
    const controller = new AbortController();
    const reason = new Error('cancelled');
    const authUrl = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/auth/v1.0`;
    const checking = swiftDriver.check(v1({ authUrl }), { signal: controller.signal, timeoutMs: 10_000 });
    setImmediate(() => controller.abort(reason));
    await expect(checking).rejects.toBe(reason);
  });
});

async function selfSigned(): Promise<{ key: string; cert: string }> {
  const args = [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=127.0.0.1',
    '-keyout',
    '-',
  ];
  const { stdout } = await promisify(execFile)('openssl', [...args, '-out', '-'], { timeout: 30_000 });
  const [key = ''] = /-----BEGIN PRIVATE KEY-----[^]*-----END PRIVATE KEY-----/.exec(stdout) ?? [];
  const [cert = ''] = /-----BEGIN CERTIFICATE-----[^]*-----END CERTIFICATE-----/.exec(stdout) ?? [];
  return { key, cert };
}
