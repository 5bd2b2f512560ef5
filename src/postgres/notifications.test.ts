import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import type { DataSource } from 'typeorm';
import { postgresMissing, startPostgres, type TestPostgres } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { until } from '../../test/fixtures/until.js';
import { createNotifications, type Notifications } from './notifications.js';

const sockets = '/proc/net/tcp';
const missing = process.platform === 'linux' ? await postgresMissing() : `${sockets} is Linux's`;

describeWith({ postgresql: missing }, 'the connection for notifications', () => {
  let postgres: TestPostgres;
  let admin: DataSource;
  let notifications: Notifications;

  beforeAll(async () => {
    postgres = await startPostgres();
    admin = await postgres.connect(postgres.adminUrl);
  });
  afterEach(() => notifications.stop());
  afterAll(() => postgres.stop());

  test('probes the server within seconds, because only a probe detects that it was lost silently', async () => {
    notifications = createNotifications({ connectionString: postgres.appUrl, onError: () => undefined });
    await notifications.start();
    const [{ port }] = await admin.query<[{ port: number }]>(
      `SELECT client_port AS port FROM pg_stat_activity WHERE application_name = 'stowage notifications' AND datname = $1`,
      [new URL(postgres.appUrl).pathname.slice(1)],
    );
    const serverPort = Number(new URL(postgres.appUrl).port);
    let secondsToProbe: number | undefined;
    await until(
      async () => (secondsToProbe = await keepAliveTimer(port, serverPort)) !== undefined,
      'the kernel waits to probe the connection',
    );
    expect(secondsToProbe).toBeLessThanOrEqual(10);
  });
});

/**
 * The seconds until the kernel probes the established connection between these two ports of this machine (proc(5)).
 * Undefined while the kernel waits for something else, and for a connection without keep-alive.
 */
async function keepAliveTimer(localPort: number, remotePort: number): Promise<number | undefined> {
  const [established, keepAlive] = ['01', '02'];
  const hexadecimal = (port: number) => `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const row = (await readFile(sockets, 'utf8'))
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .find(
      ([, local, remote, state]) =>
        state === established &&
        local?.endsWith(hexadecimal(localPort)) === true &&
        remote?.endsWith(hexadecimal(remotePort)) === true,
    );
  const [timer, hundredths = ''] = row?.[5]?.split(':') ?? [];
  return timer === keepAlive ? Number.parseInt(hundredths, 16) / 100 : undefined;
}
