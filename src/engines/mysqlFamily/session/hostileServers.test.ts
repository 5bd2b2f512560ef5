import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWith } from '../../../../test/fixtures/requirements.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../../../test/fixtures/servers/mariadb.js';
import { behaviours, startHostileMariadb } from '../../../../test/strangers/servers/hostileMariadb.js';
import type { HostileServer } from '../../../../test/strangers/servers/hostileServer.js';
import { startMutatingProxy } from '../../../../test/strangers/servers/mutatingProxy.js';
import type { CheckStep } from '../../../check.js';
import { Secret } from '../../../secret.js';
import { createConversations } from '../../conversation/conversations.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { createMariadbEngine } from '../../mariadb/mariadbEngine.js';
import { mariadbDriver } from '../../mariadb/mariadbEngine.js';

/** The limit for the memory of this process while a server sends an endless answer. */
const mostGrowthBytes = 150 * 1024 * 1024;
/** The time limit for a server that stops answering. */
const limitMs = 1_500;

const conversations = createConversations(mariadbDriver, { keepsSpare: true });
const engine = createMariadbEngine({ conversations });
let folder: string;
const escaped: unknown[] = [];
const onEscaped = (error: unknown) => escaped.push(error);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stowage-hostile-'));
  process.on('uncaughtException', onEscaped);
});
afterAll(async () => {
  process.off('uncaughtException', onEscaped);
  await conversations.close();
  await rm(folder, { recursive: true, force: true });
});

const at = (port: number, overrides: Partial<ServiceConnection> = {}): ServiceConnection => ({
  host: '127.0.0.1',
  port,
  username: 'backup',
  password: new Secret('a secret'),
  authSource: null,
  databases: null,
  tls: { mode: 'OFF', ca: null },
  ...overrides,
});

/** Runs a check and a preflight. Returns how the check failed. */
async function meet(
  { port }: HostileServer,
  overrides: Partial<ServiceConnection> = {},
): Promise<CheckStep | undefined> {
  const steps = await engine.check(at(port, overrides), { signal: new AbortController().signal, timeoutMs: limitMs });
  const context = { workFolder: folder, signal: AbortSignal.timeout(limitMs) };
  await engine.inventory(at(port, overrides), context).catch(() => undefined);
  return steps.find(({ status }) => status === 'FAILED');
}

describe('Hostile servers', () => {
  test.each(behaviours)(
    'a server that $name fails a check, and costs this process little memory',
    async (behaviour) => {
      const server = await startHostileMariadb(behaviour);
      const before = process.memoryUsage().rss;
      try {
        const failed = await meet(server);
        expect(failed?.code).toMatch(/^(SERVICE_|TOOL_VERSION)/);
        expect(Buffer.byteLength(`${failed?.message} ${failed?.hint}`)).toBeLessThan(2_000);
        expect(`${failed?.message} ${failed?.hint}`).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
        expect(process.memoryUsage().rss - before).toBeLessThan(mostGrowthBytes);
        expect(escaped).toEqual([]);
      } finally {
        await server.stop();
      }
    },
  );
});

describeWith({ mariadb: mariadbMissing }, 'A server whose bytes are changed on the way', () => {
  let server: MariadbServer;
  beforeAll(async () => {
    server = await startMariadb();
  });
  afterAll(() => server.stop());

  test('ends only the process of its conversation, and the error has a reason', async () => {
    for (let seed = 1; seed <= 15; seed += 1) {
      const proxy = await startMutatingProxy(server.port, seed);
      const { username, password } = server;
      const failed = await meet(proxy, { username, password: new Secret(password) });
      await proxy.stop();
      expect([seed, failed?.code]).not.toEqual([seed, 'INTERNAL']);
    }
    expect(escaped).toEqual([]);
  });
});
