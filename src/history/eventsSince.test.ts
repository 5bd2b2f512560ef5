import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { counter, tester } from '../../test/fixtures/counter.js';
import { nextEvent } from '../../test/fixtures/feed.js';
import { cutListeners, loseEventsFrom } from '../../test/fixtures/olderState.js';
import { postgresMissing, startPostgres, type TestPostgres } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import type { EventStore } from '../eventSourcing/eventStore.js';
import { createEventStore } from '../postgres/eventStore.js';
import { createFeed, type RunningFeed } from '../postgres/feed.js';
import { createNotifications, type Notifications } from '../postgres/notifications.js';
import { eventsSince } from './eventsSince.js';

describeWith({ postgresql: await postgresMissing() }, 'a reader of the live end of the log', () => {
  let postgres: TestPostgres;
  let store: EventStore;
  let notifications: Notifications;
  let feed: RunningFeed;

  beforeAll(async () => {
    postgres = await startPostgres();
    const dataSource = await postgres.connect();
    store = createEventStore({ dataSource, projections: [], deciders: [counter] });
    notifications = createNotifications({ connectionString: postgres.appUrl, onError: () => undefined });
    await notifications.start();
    feed = createFeed({ notifications, store, onError: () => undefined });
    await feed.start();
  });
  afterAll(async () => {
    await feed.stop();
    await notifications.stop();
    await postgres.stop();
  });

  /** Resolves when the feed has delivered the event. */
  const count = async (): Promise<string> => {
    const id = randomUUID();
    const delivered = nextEvent(feed, ({ streamId }) => streamId === id);
    await Promise.all([delivered, append(id)]);
    return id;
  };
  const append = (id: string) => store.transact(tester, (tx) => tx.execute(counter, { id, projectId: 'p' }, { by: 1 }));

  test.each([
    ['from now on', undefined],
    ['from the beginning', 0n],
  ])('%s ends if the log returns to an older state, and never misses an event silently', async (_how, after) => {
    const before = await count();
    const events = eventsSince({ store, feed }, { after, projectIds: undefined, streamTypes: undefined });
    const lost = await count();
    const receivedIds: string[] = [];
    while (!receivedIds.includes(lost)) receivedIds.push((await events.next()).value?.streamId ?? '');
    if (after !== undefined) expect(receivedIds).toContain(before);

    const waiting = events.next();
    await loseEventsFrom(postgres, [lost]);
    await append(randomUUID());
    await cutListeners(postgres);
    await expect(waiting).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('has gone back'),
    });
  });
});
