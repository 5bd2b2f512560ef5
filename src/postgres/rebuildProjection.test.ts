import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { counter, counterView, createCounterView, tester } from '../../test/fixtures/counter.js';
import { postgresMissing, startPostgres, type TestPostgres } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import type { EventStore } from '../eventSourcing/eventStore.js';
import { createEventStore } from './eventStore.js';
import { rebuildProjection } from './rebuildProjection.js';

describeWith({ postgresql: await postgresMissing() }, 'rebuilding a projection', () => {
  let postgres: TestPostgres;
  let app: DataSource;
  let store: EventStore;
  const streams = Array.from({ length: 4 }, () => ({ id: randomUUID(), projectId: randomUUID() }));

  beforeAll(async () => {
    postgres = await startPostgres();
    await createCounterView(await postgres.connect(postgres.ownerUrl));
    app = await postgres.connect();
    store = createEventStore({ dataSource: app, projections: [counterView], deciders: [counter] });
    for (const stream of streams) await count(stream);
  });
  afterAll(() => postgres.stop());

  const count = (stream: { id: string; projectId: string }) =>
    store.transact(tester, (tx) => tx.execute(counter, stream, { by: 1 }));
  const view = () => app.query<{ id: string; total: string }[]>('SELECT id, total FROM counter_view ORDER BY id');

  test('computes the same rows again', async () => {
    const before = await view();
    await app.query('UPDATE counter_view SET total = 99');
    await expect(rebuildProjection(app, counterView, [counter])).resolves.toBe(streams.length);
    await expect(view()).resolves.toEqual(before);
  });

  test('includes every event of simultaneous commands, and readers never see an empty table', async () => {
    const end = new AbortController();
    const sizes = new Set<number>();
    const commands = streams.map(async (stream) => {
      while (!end.signal.aborted) await count(stream);
    });
    const reader = (async () => {
      while (!end.signal.aborted) sizes.add((await view()).length);
    })();
    for (let round = 0; round < 5; round += 1) await rebuildProjection(app, counterView, [counter]);
    end.abort();
    await Promise.all([...commands, reader]);
    expect([...sizes]).toEqual([streams.length]);
    const rows = await view();
    for (const { id, total } of rows) {
      await expect(store.load(counter, id)).resolves.toMatchObject({ version: Number(total) });
    }
  });
});
