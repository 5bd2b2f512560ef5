import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import { postgresMissing, startPostgres, type TestPostgres } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { startTcpProxy, type TcpProxy } from '../../test/fixtures/servers/tcpProxy.js';
import { eventually } from '../../test/fixtures/workerHarness.js';
import { whileLocked } from './whileLocked.js';

const limitMs = 5_000;

describeWith({ postgresql: await postgresMissing() }, 'a lock that is held during work', () => {
  let postgres: TestPostgres;
  let proxy: TcpProxy;
  let one: DataSource;
  let other: DataSource;

  beforeAll(async () => {
    postgres = await startPostgres();
    const url = new URL(postgres.appUrl);
    proxy = await startTcpProxy(Number(url.port));
    url.port = String(proxy.port);
    one = await postgres.connect(url.href);
    other = await postgres.connect();
  });
  afterAll(async () => {
    await proxy.stop();
    await postgres.stop();
  });

  const taken = () => whileLocked(other, 'work', () => Promise.resolve('taken'), limitMs);

  test('belongs to one process at a time, also during long work, and its connection is returned unchanged', async () => {
    const second = await whileLocked(
      one,
      'work',
      async () => {
        await delay(2 * limitMs);
        return await taken();
      },
      limitMs,
    );
    expect(second).toBeUndefined();
    await expect(taken()).resolves.toBe('taken');
    await expect(one.query('SHOW idle_session_timeout')).resolves.toEqual([{ idle_session_timeout: '0' }]);
  });

  test('is soon released when its process froze or lost its connection', async () => {
    let finish: (how: string) => void = () => undefined;
    const finished = new Promise<string>((resolve) => {
      finish = resolve;
    });
    let frozen: Promise<string | undefined> = Promise.resolve(undefined);
    await new Promise<void>((begun) => {
      frozen = whileLocked(
        one,
        'work',
        () => {
          begun();
          return finished;
        },
        limitMs,
      );
    });
    proxy.freeze();
    await eventually('the lock is free', async () => await taken());
    finish('late');
    await proxy.heal();
    await expect(frozen).resolves.toBe('late');
    await expect(taken()).resolves.toBe('taken');
  });
});
