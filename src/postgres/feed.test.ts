import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { counter, tester } from '../../test/fixtures/counter.js';
import { nextEvent } from '../../test/fixtures/feed.js';
import { cutListeners, loseEventsFrom } from '../../test/fixtures/olderState.js';
import { postgresMissing, startPostgres, type TestPostgres } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { until } from '../../test/fixtures/until.js';
import type { EventStore } from '../eventSourcing/eventStore.js';
import { createEventStore } from './eventStore.js';
import { createFeed, type RunningFeed } from './feed.js';
import { createNotifications, type Notifications } from './notifications.js';

describeWith({ postgresql: await postgresMissing() }, 'feed', () => {
  let postgres: TestPostgres;
  let app: DataSource;
  let store: EventStore;
  let notifications: Notifications;
  let feed: RunningFeed;
  let errors: unknown[];

  beforeAll(async () => {
    postgres = await startPostgres();
    app = await postgres.connect();
    store = createEventStore({ dataSource: app, projections: [], deciders: [counter] });
  });
  afterAll(() => postgres.stop());
  beforeEach(async () => {
    errors = [];
    const onError = (error: unknown) => errors.push(error);
    notifications = createNotifications({ connectionString: postgres.appUrl, onError });
    // So long that no poll happens within a test. Events arrive only by a notification, or by the connect after a gap.
    feed = createFeed({ notifications, store, onError, pollMs: 3_600_000 });
    await notifications.start();
    await feed.start();
  });
  afterEach(async () => {
    await feed.stop();
    await notifications.stop();
  });

  const count = (id: string = randomUUID()) =>
    store.transact(tester, (tx) => tx.execute(counter, { id, projectId: 'p' }, { by: 1 }));

  test('starts at the position of the subscription', async () => {
    await count();
    const id = randomUUID();
    const next = nextEvent(feed, ({ streamId }) => streamId === id);
    const subscription = feed.subscribe(() => undefined);
    subscription.close();
    await count(id);
    expect((await next).position).toBeGreaterThan(subscription.from);
  });

  test.each([
    ['in order', false],
    ['in order, also when the listening connection is cut in the middle', true],
  ])('delivers every event of 8 writers once and %s', async (_how, cut) => {
    const writers = 8;
    const rounds = 25;
    const seen: bigint[] = [];
    const complete = new Promise<void>((resolve) => {
      feed.subscribe(({ position }) => {
        seen.push(position);
        if (seen.length === writers * rounds) resolve();
      });
    });
    const before = await store.head();
    const write = async () => {
      for (let round = 0; round < rounds; round += 1) await count();
    };
    const all = Array.from({ length: writers }, write);
    if (cut) await cutListeners(postgres);
    await Promise.all(all);
    await complete;
    const written = await app.query<{ position: string }[]>(
      'SELECT position FROM events WHERE position > $1 ORDER BY position',
      [before.toString()],
    );
    expect(seen).toEqual(written.map(({ position }) => BigInt(position)));
    expect(errors.length > 0).toBe(cut);
  });

  test('events that were appended without a connection are delivered after the next connect', async () => {
    const id = randomUUID();
    const next = nextEvent(feed, ({ streamId }) => streamId === id);
    await cutListeners(postgres);
    await count(id);
    await expect(next).resolves.toMatchObject({ streamId: id });
  });

  test.each([
    ['fewer', 3],
    ['more', 7],
  ])(
    'after PostgreSQL returns in an older state, new events there are delivered, if they are %s than the lost events',
    async (_how, number) => {
      const ids = (length: number): string[] => Array.from({ length }, () => randomUUID());
      const [kept, lost, written] = [ids(3), ids(5), ids(number)];
      const seen: string[] = [];
      feed.subscribe(({ streamId }) => seen.push(streamId));
      for (const id of [...kept, ...lost]) await count(id);
      await until(() => lost.every((id) => seen.includes(id)), 'the events that will be lost were delivered');
      await loseEventsFrom(postgres, lost);
      for (const id of written) await count(id);
      await cutListeners(postgres);
      await until(() => written.every((id) => seen.includes(id)), 'the events that were written since were delivered');
      expect(seen.filter((id) => kept.includes(id))).toEqual(kept);
      expect(errors).toContainEqual(expect.objectContaining({ message: expect.stringContaining('has gone back') }));
    },
  );

  test('the poll finds events without a notification', async () => {
    const deaf = { subscribe: () => () => undefined, onConnected: () => () => undefined };
    const polling = createFeed({ notifications: deaf, store, onError: (error) => errors.push(error), pollMs: 50 });
    await polling.start();
    const id = randomUUID();
    const next = nextEvent(polling, ({ streamId }) => streamId === id);
    await count(id);
    await expect(next).resolves.toMatchObject({ streamId: id });
    await polling.stop();
  });

  test('a listener that throws is reported, and other listeners still receive the event', async () => {
    const id = randomUUID();
    feed.subscribe(() => {
      throw new Error('broken listener');
    });
    const next = nextEvent(feed, ({ streamId }) => streamId === id);
    await count(id);
    await next;
    expect(errors).toMatchObject([{ message: 'broken listener' }]);
  });
});
