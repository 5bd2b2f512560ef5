import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { counter, counterView, createCounterView, tester } from '../../test/fixtures/counter.js';
import { postgresMissing, startPostgres, type TestPostgres } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import type { Decider } from '../eventSourcing/decider.js';
import type { EventStore } from '../eventSourcing/eventStore.js';
import { createDataSource } from '../../ormconfig.js';
import { advisoryLocks } from './advisoryLocks.js';
import { createEventStore } from './eventStore.js';

describeWith({ postgresql: await postgresMissing() }, 'event store', () => {
  let postgres: TestPostgres;
  let owner: DataSource;
  let app: DataSource;
  let store: EventStore;

  beforeAll(async () => {
    postgres = await startPostgres();
    owner = await postgres.connect(postgres.ownerUrl);
    app = await postgres.connect();
    await createCounterView(owner);
    store = createEventStore({ dataSource: app, projections: [counterView], deciders: [counter] });
  });
  afterAll(() => postgres.stop());

  const stream = () => ({ id: randomUUID(), projectId: randomUUID() });
  const count = (ref: { id: string; projectId: string }, by: number, expectedVersion?: number) =>
    store.transact(tester, (tx) => tx.execute(counter, ref, { by }, expectedVersion));
  const viewed = async (id: string) => {
    const rows: { total: string }[] = await app.query('SELECT total FROM counter_view WHERE id = $1', [id]);
    return rows[0] === undefined ? undefined : Number(rows[0].total);
  };

  test('decided events are read back with their position, author and project', async () => {
    const ref = stream();
    const before = await store.head();
    await expect(count(ref, 3)).resolves.toEqual({ state: 3, version: 1 });
    await count(ref, 4);
    const events = await store.read({ streamId: ref.id });
    expect(events).toMatchObject([
      {
        type: 'Counted',
        data: { by: 3 },
        version: 1,
        schemaVersion: 1,
        streamType: 'counter',
        projectId: ref.projectId,
      },
      { version: 2, metadata: tester, recordedAt: expect.any(Date) },
    ]);
    expect(events[0]!.position).toBeGreaterThan(before);
    expect(events[1]!.position).toBe(await store.head());
    await expect(store.load(counter, ref.id)).resolves.toEqual({ state: 7, version: 2 });
  });

  test('a writer that freezes while it holds the lock of the log blocks others only for a short time', async () => {
    const frozen = await createDataSource({
      url: postgres.appUrl,
      poolSize: 1,
      idleInTransactionMs: 3_000,
    }).initialize();
    const runner = frozen.createQueryRunner();
    await runner.startTransaction();
    await runner.query(`SELECT pg_advisory_xact_lock(${advisoryLocks.append})`);
    const ref = stream();
    await expect(count(ref, 1)).resolves.toEqual({ state: 1, version: 1 });
    await expect(runner.commitTransaction()).rejects.toThrow();
    await runner.release();
    await frozen.destroy();
    const [{ limit }] = await app.query<[{ limit: string }]>(
      `SELECT current_setting('idle_in_transaction_session_timeout') AS limit`,
    );
    expect(limit).toBe('15s');
  });

  test('a process that froze during a transaction gets UNAVAILABLE, and may repeat it', async () => {
    const slow = await createDataSource({ url: postgres.appUrl, poolSize: 1, idleInTransactionMs: 500 }).initialize();
    const deciding = createEventStore({ dataSource: slow, projections: [counterView], deciders: [counter] });
    const ref = stream();
    const frozen = deciding.transact(tester, async (tx) => {
      await tx.load(counter, ref.id);
      // This process runs no code meanwhile. So it notices the end of its connection only at its next query.
      for (const until = performance.now() + 3_000; performance.now() < until;);
      await tx.manager.query('SELECT 1');
    });
    await expect(frozen).rejects.toMatchObject({ code: 'UNAVAILABLE', retriable: true });
    await slow.destroy();
  });

  test('the read model is written when the command returns', async () => {
    const ref = stream();
    await count(ref, 3);
    await expect(viewed(ref.id)).resolves.toBe(3);
  });

  test('a later decision in the same transaction sees the earlier one', async () => {
    const [one, other] = [stream(), stream()];
    const after = await store.transact(tester, async (tx) => {
      await tx.execute(counter, one, { by: 1 });
      await tx.execute(counter, other, { by: 5 });
      await tx.execute(counter, one, { by: 2 });
      return tx.load(counter, one.id);
    });
    expect(after).toEqual({ state: 3, version: 2 });
    const events = await store.read({ projectIds: [one.projectId, other.projectId] });
    expect(events.map(({ streamId, version }) => [streamId, version])).toEqual([
      [one.id, 1],
      [other.id, 1],
      [one.id, 2],
    ]);
  });

  test('a refusal leaves neither events nor read models', async () => {
    const [one, other] = [stream(), stream()];
    await expect(
      store.transact(tester, async (tx) => {
        await tx.execute(counter, one, { by: 1 });
        await tx.execute(counter, other, { by: -1 });
      }),
    ).rejects.toMatchObject({ code: 'BAD_INPUT' });
    await expect(store.read({ streamId: one.id })).resolves.toEqual([]);
    await expect(viewed(one.id)).resolves.toBeUndefined();
  });

  test('a stale expected version is a CONFLICT that names both versions', async () => {
    const ref = stream();
    await count(ref, 1);
    await count(ref, 1);
    await expect(count(ref, 1, 1)).rejects.toMatchObject({
      code: 'CONFLICT',
      details: { expectedVersion: 1, actualVersion: 2 },
    });
  });

  test('one of two writers with the same expected version gets CONFLICT', async () => {
    const ref = stream();
    await count(ref, 1);
    const outcomes = await Promise.allSettled([count(ref, 1, 1), count(ref, 1, 1), count(ref, 1, 1)]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'CONFLICT' });
    }
  });

  test('all 16 writers on one stream without an expected version succeed', async () => {
    const ref = stream();
    await Promise.all(Array.from({ length: 16 }, () => count(ref, 1)));
    await expect(store.load(counter, ref.id)).resolves.toEqual({ state: 16, version: 16 });
    await expect(viewed(ref.id)).resolves.toBe(16);
  });

  test('the order of positions is the order of commits, also with slow writers', async () => {
    const seen: bigint[] = [];
    let last = await store.head();
    const write = async () => {
      for (let round = 0; round < 15; round += 1) await count(stream(), 1);
    };
    const all = Promise.all(Array.from({ length: 16 }, write));
    while (seen.length < 16 * 15) {
      const events = await store.read({ after: last, limit: 50 });
      for (const { position } of events) seen.push((last = position));
    }
    await all;
    const rows: unknown[] = await app.query('SELECT FROM events WHERE position >= $1', [String(seen[0])]);
    expect(seen).toHaveLength(16 * 15);
    expect(rows).toHaveLength(16 * 15);
  });

  test('old events are upcast to the current version, and events of a newer program are refused', async () => {
    const ref = stream();
    await count(ref, 2);
    const doubled: typeof counter = {
      ...counter,
      schemaVersions: { Counted: 2 },
      upcasters: { 'Counted@1': ({ by }) => ({ by: Number(by) * 10 }) },
    };
    const tomorrow = createEventStore({ dataSource: app, projections: [], deciders: [doubled] });
    await expect(tomorrow.load(doubled, ref.id)).resolves.toEqual({ state: 20, version: 1 });
    await expect(tomorrow.read({ streamId: ref.id })).resolves.toMatchObject([{ schemaVersion: 2, data: { by: 20 } }]);
    await tomorrow.transact(tester, (tx) => tx.execute(doubled, ref, { by: 1 }));
    await expect(store.load(counter, ref.id)).rejects.toThrow('stored in schema version 2; this program knows 1');
  });

  test('a stream of another type is treated as missing', async () => {
    const ref = stream();
    await count(ref, 2);
    const other: Decider<number, unknown, never> = { ...counter, streamType: 'other', decide: () => [] };
    await expect(store.load(other, ref.id)).resolves.toEqual({ state: 0, version: 0 });
  });

  test.each(["UPDATE events SET type = 'Other'", 'DELETE FROM events', 'TRUNCATE events'])(
    'the log refuses %s from its owner, and from the role of the program',
    async (sql) => {
      await count(stream(), 1);
      await expect(owner.query(sql)).rejects.toThrow('Events are never changed');
      await expect(app.query(sql)).rejects.toThrow('permission denied for table events');
    },
  );

  test('the role of the program can insert into the log only with the append function', async () => {
    await expect(app.query('INSERT INTO events DEFAULT VALUES')).rejects.toThrow('permission denied');
    await expect(app.query('CREATE TABLE mine ()')).rejects.toThrow('permission denied for schema public');
  });

  test('a replica that is older than the schema may not append', async () => {
    const database = await postgres.createDatabase();
    const [newer, older] = [await postgres.connect(database.ownerUrl), await postgres.connect(database.appUrl)];
    const replica = createEventStore({ dataSource: older, projections: [], deciders: [counter] });
    await newer.query(`INSERT INTO schema_migrations ("timestamp", name) VALUES (9999999999999, 'Tomorrow')`);
    await expect(replica.transact(tester, (tx) => tx.execute(counter, stream(), { by: 1 }))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('This replica is older'),
    });
  });

  test('every call is UNAVAILABLE while PostgreSQL does not answer or closes the connection', async () => {
    const cut = store.transact(tester, ({ manager }) => manager.query('SELECT pg_terminate_backend(pg_backend_pid())'));
    await expect(cut).rejects.toMatchObject({ code: 'UNAVAILABLE', retriable: true });
    const { appUrl } = await postgres.createDatabase();
    const closing = await postgres.connect(appUrl);
    const admin = await postgres.connect(postgres.adminUrl);
    const orphaned = createEventStore({ dataSource: closing, projections: [], deciders: [counter] });
    const name = new URL(appUrl).pathname.slice(1);
    await admin.query(`ALTER DATABASE ${name} CONNECTION LIMIT 0`);
    await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name]);
    await expect(orphaned.head()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(orphaned.read({})).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(orphaned.load(counter, 'any')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});
