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

  test('asks within seconds whether the server is still there, for nothing else would tell', async () => {
    notifications = createNotifications({ connectionString: postgres.appUrl, onError: () => undefined });
    await notifications.start();
    const [{ port }] = await admin.query<[{ port: number }]>(
      `SELECT client_port AS port FROM pg_stat_activity WHERE application_name = 'stowage notifications' AND datname = $1`,
      [new URL(postgres.appUrl).pathname.slice(1)],
    );
    let timer: Timer = { kind: 'SENDING', seconds: 0 };
    const isAtRest = async () => (timer = await timerOf(port)).kind !== 'SENDING';
    await until(isAtRest, 'the server has confirmed all that was sent');
    expect(timer.seconds).toBeLessThanOrEqual(10);
  });
});

type Timer = { readonly kind: 'SENDING' | 'AT_REST'; readonly seconds: number };

/** What the kernel waits for on the socket of this local port (proc(5)): 1 is to send again, 2 keepalive; in hundredths of a second. */
async function timerOf(port: number): Promise<Timer> {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const row = (await readFile(sockets, 'utf8'))
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .find(([, address]) => address?.endsWith(local));
  const [kind = '', when = ''] = row?.[5]?.split(':') ?? [];
  return { kind: kind === '01' ? 'SENDING' : 'AT_REST', seconds: Number.parseInt(when, 16) / 100 };
}
