import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { postgresMissing, startPostgres, type TestPostgres } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import type { JobProgress } from './contracts/telemetry.js';
import { createNotifications, type Notifications } from './notifications.js';
import { createSignals } from './signals.js';
import { createTelemetry } from './telemetry.js';

describeWith({ postgresql: await postgresMissing() }, 'telemetry and signals', () => {
  let postgres: TestPostgres;
  let app: DataSource;
  let notifications: Notifications;
  beforeAll(async () => {
    postgres = await startPostgres();
    app = await postgres.connect();
    notifications = createNotifications({ connectionString: postgres.appUrl, onError: () => undefined });
    await notifications.start();
  });
  afterAll(async () => {
    await notifications.stop();
    await postgres.stop();
  });

  const progress = (change: Partial<JobProgress> = {}): JobProgress => ({
    jobId: randomUUID(),
    projectId: 'p',
    kind: 'BACKUP',
    attempt: 1,
    readBytes: 1,
    storedBytes: 1,
    segments: 1,
    bytesPerSecond: 1,
    share: null,
    estimatedEnd: null,
    at: new Date().toISOString(),
    ...change,
  });

  test('progress is sent to every process, and the latest is stored until it is cleared', async () => {
    const telemetry = createTelemetry(app, notifications);
    const [early, late] = [progress(), progress()];
    const received: JobProgress[] = [];
    const both = new Promise<void>((resolve) => {
      telemetry.subscribe((each) => {
        received.push(each);
        if (received.length === 2) resolve();
      });
    });
    await telemetry.publish(early);
    await telemetry.publish({ ...late, jobId: early.jobId, readBytes: 2 });
    await both;
    expect(received.map(({ readBytes }) => readBytes)).toEqual([1, 2]);
    const stored = await telemetry.latest([early.jobId, 'unknown']);
    expect([...stored]).toEqual([[early.jobId, { ...late, jobId: early.jobId, readBytes: 2 }]]);
    await telemetry.clear(early.jobId);
    await expect(telemetry.latest([early.jobId])).resolves.toEqual(new Map());
  });

  test('a signal reaches the subscribers of its channel until they unsubscribe', async () => {
    const signals = createSignals(app, notifications);
    const received: string[] = [];
    const stop = signals.subscribe('work', () => received.push('after the stop'));
    stop();
    const cancelled = new Promise<string>((resolve) => signals.subscribe('cancel', resolve));
    await signals.send('work');
    await signals.send('cancel', 'a job');
    await expect(cancelled).resolves.toBe('a job');
    expect(received).toEqual([]);
  });
});
