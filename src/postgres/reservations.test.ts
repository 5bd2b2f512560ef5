import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { counter, tester } from '../../test/fixtures/counter.js';
import { postgresMissing, startPostgres, type TestPostgres } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { StowageError } from '../errors.js';
import type { EventStore } from '../eventSourcing/eventStore.js';
import type { Reservations } from '../eventSourcing/reservations.js';
import { createEventStore } from './eventStore.js';

describeWith({ postgresql: await postgresMissing() }, 'reservations', () => {
  let postgres: TestPostgres;
  let store: EventStore;
  beforeAll(async () => {
    postgres = await startPostgres();
    store = createEventStore({ dataSource: await postgres.connect(), projections: [], deciders: [] });
  });
  afterAll(() => postgres.stop());

  const reserve = (work: (reservations: Reservations) => Promise<void>) =>
    store.transact(tester, ({ reservations }) => work(reservations));
  const inUse = () => new StowageError('ENDPOINT_IN_USE', 'in use');

  test('a name can be taken once in its scope, until it is released', async () => {
    await reserve((r) => r.claimName('plan', 'p1', 'nightly', 'a'));
    await reserve((r) => r.claimName('plan', 'p1', 'nightly', 'a'));
    await reserve((r) => r.claimName('plan', 'p2', 'nightly', 'b'));
    await expect(reserve((r) => r.claimName('plan', 'p1', 'nightly', 'b'))).rejects.toMatchObject({
      code: 'CONFLICT',
      message: "Another plan already has the name 'nightly'.",
    });
    await reserve((r) => r.releaseNames('plan', 'a'));
    await reserve((r) => r.claimName('plan', 'p1', 'nightly', 'b'));
  });

  test('one of many simultaneous claims of a name succeeds, and the others append no event', async () => {
    const ids = Array.from({ length: 8 }, () => randomUUID());
    const outcomes = await Promise.allSettled(
      ids.map((id) =>
        store.transact(tester, async (tx) => {
          await tx.execute(counter, { id, projectId: 'p' }, { by: 1 });
          await tx.reservations.claimName('plan', 'p', 'weekly', id);
        }),
      ),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await expect(store.read({ projectIds: ['p'] })).resolves.toHaveLength(1);
  });

  test('an entity in use cannot be removed, and a removed entity cannot be used', async () => {
    await reserve((r) => r.register('endpoint', 'fileEndpoint', 'p'));
    await reserve((r) => r.use('endpoint', 'plan'));
    await reserve((r) => r.use('endpoint', 'plan'));
    await expect(reserve((r) => r.unregister('endpoint', inUse))).rejects.toMatchObject({ code: 'ENDPOINT_IN_USE' });
    await reserve((r) => r.release('endpoint', 'plan'));
    await reserve((r) => r.unregister('endpoint', inUse));
    await expect(reserve((r) => r.use('endpoint', 'plan'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('removal and use at the same moment exclude each other', async () => {
    for (let round = 0; round < 10; round += 1) {
      const id = randomUUID();
      await reserve((r) => r.register(id, 'fileEndpoint', 'p'));
      const [removed, used] = await Promise.allSettled([
        reserve((r) => r.unregister(id, inUse)),
        reserve((r) => r.use(id, 'plan')),
      ]);
      expect([removed.status, used.status].sort()).toEqual(['fulfilled', 'rejected']);
    }
  });
});
