import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes, randomUUID } from 'node:crypto';
import { Client } from 'pg';
import type { DataSource } from 'typeorm';
import { counter, tester } from '../../test/fixtures/counter.js';
import { postgresMissing, startPostgres, type TestPostgres } from '../../test/fixtures/servers/postgres.js';
import { startTcpProxy, type TcpProxy } from '../../test/fixtures/servers/tcpProxy.js';
import { until } from '../../test/fixtures/until.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { StowageError } from '../errors.js';
import type { CommandHandling, CommandRequest } from '../eventSourcing/commandHandling.js';
import type { EventStore } from '../eventSourcing/eventStore.js';
import { Secret } from '../secret.js';
import { createCommandHandling } from './commandHandling.js';
import { createEventStore } from './eventStore.js';
import { masterKeys } from './masterKeys.js';
import { withPatience } from './patience.js';

describeWith({ postgresql: await postgresMissing() }, 'command handling', () => {
  let postgres: TestPostgres;
  let dataSource: DataSource;
  let store: EventStore;
  let commands: CommandHandling;
  const key = randomBytes(32).toString('base64');

  beforeAll(async () => {
    postgres = await startPostgres();
    dataSource = await postgres.connect();
    store = createEventStore({ dataSource, projections: [], deciders: [counter] });
    commands = createCommandHandling({ dataSource, store, masterKeys: masterKeys([key]) });
  });
  afterAll(() => postgres.stop());

  const request = (change: Partial<CommandRequest> = {}): CommandRequest => ({
    operation: 'count',
    input: { by: 1, nested: { a: 1, b: [1, null] } },
    subject: 'someone',
    projectId: 'p',
    commandId: randomUUID(),
    metadata: tester,
    ...change,
  });

  /** A command whose result shows which run created it. */
  function counting(streamId: string = randomUUID()) {
    const runs: string[] = [];
    const handle = (sent: CommandRequest, handling = commands) =>
      handling.handle<{ id: string; run: string }>(sent, (commit) => {
        const run = randomUUID();
        runs.push(run);
        return commit(async (tx) => {
          await tx.execute(counter, { id: streamId, projectId: 'p' }, { by: 1 });
          return { id: streamId, run };
        });
      });
    const total = async () => (await store.load(counter, streamId)).state;
    return { runs, handle, total };
  }

  test('the same commandId returns the same result without a second run of the handler', async () => {
    const { runs, handle, total } = counting();
    const sent = request();
    const first = await handle(sent);
    const reordered = { ...sent, input: { nested: { b: [1, null], a: 1 }, by: 1, absent: undefined } };
    await expect(handle(reordered)).resolves.toEqual(first);
    expect(runs).toHaveLength(1);
    await expect(total()).resolves.toBe(1);
  });

  test.each<[string, (sent: CommandRequest) => CommandRequest]>([
    ['another input', (sent) => ({ ...sent, input: { by: 2 } })],
    ['another operation', (sent) => ({ ...sent, operation: 'countDown' })],
    ['another password', (sent) => ({ ...sent, input: { password: new Secret('other') } })],
  ])('the same commandId with %s is IDEMPOTENCY_MISMATCH, and nothing runs', async (_what, changed) => {
    const { runs, handle } = counting();
    const sent = request({ input: { password: new Secret('one') } });
    await handle(sent);
    await expect(handle(changed(sent))).rejects.toMatchObject({ code: 'IDEMPOTENCY_MISMATCH' });
    expect(runs).toHaveLength(1);
  });

  test('the same commandId of another subject or in another project is another command', async () => {
    const { handle, total } = counting();
    const sent = request();
    await handle(sent);
    await handle({ ...sent, subject: 'another' });
    await handle({ ...sent, projectId: 'other' });
    await handle({ ...sent, projectId: null });
    await expect(total()).resolves.toBe(4);
  });

  test('eight simultaneous calls with one id append once and return the same result', async () => {
    const { handle, total } = counting();
    const sent = request();
    const results = await Promise.all(Array.from({ length: 8 }, () => handle(sent)));
    expect(new Set(results.map(({ run }) => run)).size).toBe(1);
    await expect(total()).resolves.toBe(1);
  });

  test('a failure is not stored', async () => {
    const { handle, total } = counting();
    const sent = request();
    const refused = commands.handle(sent, (commit) =>
      commit(() => Promise.reject(new StowageError('BAD_INPUT', 'refused'))),
    );
    await expect(refused).rejects.toMatchObject({ code: 'BAD_INPUT' });
    await handle(sent);
    await expect(total()).resolves.toBe(1);
  });

  test('without a commandId every call is a separate command', async () => {
    const { handle, total } = counting();
    const { commandId: _commandId, ...sent } = request();
    await handle(sent);
    await handle(sent);
    await expect(total()).resolves.toBe(2);
  });

  test('commands are still recognised after a rotation of the master key', async () => {
    const { handle } = counting();
    const sent = request();
    const first = await handle(sent);
    const keys = masterKeys([randomBytes(32).toString('base64'), key]);
    const rotated = createCommandHandling({ dataSource, store, masterKeys: keys });
    await expect(handle(sent, rotated)).resolves.toEqual(first);
  });

  test('a password in the input is not stored, and not as a hash from which it could be guessed', async () => {
    const { handle } = counting();
    const sent = request({ input: { password: new Secret('hunter2') } });
    await handle(sent);
    const [row] = await dataSource.query<[{ text: string }]>(
      'SELECT commands::text AS text FROM commands WHERE command_id = $1',
      [sent.commandId],
    );
    expect(row.text).not.toContain('hunter2');
    const other = createCommandHandling({
      dataSource,
      store,
      masterKeys: masterKeys([randomBytes(32).toString('base64')]),
    });
    await expect(handle(sent, other)).rejects.toMatchObject({ code: 'IDEMPOTENCY_MISMATCH' });
  });

  describe('when the connection is lost during COMMIT', () => {
    let proxy: TcpProxy;
    let admin: Client;
    beforeAll(async () => {
      proxy = await startTcpProxy(Number(new URL(postgres.appUrl).port));
      // A superuser, because only a superuser can see the statements of other sessions and end them.
      const url = new URL(postgres.adminUrl);
      url.pathname = new URL(postgres.ownerUrl).pathname;
      admin = new Client({ connectionString: url.href });
      await admin.connect();
      // COMMIT of a marked command waits for a lock that the test holds.
      await admin.query(`
        CREATE FUNCTION wait_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          PERFORM pg_advisory_xact_lock_shared(77);
          RETURN NULL;
        END $$;
        CREATE CONSTRAINT TRIGGER wait_at_commit AFTER INSERT ON commands DEFERRABLE INITIALLY DEFERRED
          FOR EACH ROW WHEN (NEW.command_id LIKE 'slow%') EXECUTE FUNCTION wait_at_commit()`);
    });
    afterAll(async () => {
      await admin.query('DROP FUNCTION wait_at_commit CASCADE');
      await admin.end();
      await proxy.stop();
    });

    /** Sends a command whose COMMIT is being executed when its connection is lost. */
    async function lostAtCommit(sent: CommandRequest, streamId: string, patienceMs: number) {
      const url = new URL(postgres.appUrl);
      url.port = String(proxy.port);
      const through = await postgres.connect(url.href);
      const storeThrough = createEventStore({ dataSource: through, projections: [], deciders: [counter] });
      const handling = createCommandHandling({
        ...{ dataSource: through, store: storeThrough, masterKeys: masterKeys([key]) },
      });
      await admin.query('SELECT pg_advisory_lock(77)');
      const handled = withPatience(patienceMs, () => counting(streamId).handle(sent, handling));
      handled.catch(() => undefined);
      await until(async () => (await waiting()).length === 1, 'COMMIT waits', 20_000);
      const [committing = 0] = await waiting();
      proxy.reset();
      return { handled, committing };
    }
    /** The sessions of the program that wait for a lock. */
    const waiting = async (): Promise<readonly number[]> => {
      const { rows } = await admin.query<{ pid: number }>(
        `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND usename = 'stowage_app' AND wait_event_type = 'Lock'`,
      );
      return rows.map(({ pid }) => pid);
    };

    test('a command with an id waits for the lost commit, and returns its result', async () => {
      const streamId = randomUUID();
      const { handled, committing } = await lostAtCommit(
        request({ commandId: `slow ${randomUUID()}` }),
        streamId,
        60_000,
      );
      await until(async () => (await waiting()).some((pid) => pid !== committing), 'the repetition waits', 20_000);
      await admin.query('SELECT pg_advisory_unlock(77)');
      await expect(handled).resolves.toMatchObject({ id: streamId });
      await expect(store.load(counter, streamId)).resolves.toMatchObject({ state: 1 });
    });

    test('a command with an id is executed once if the lost commit did not happen', async () => {
      const streamId = randomUUID();
      const { handled, committing } = await lostAtCommit(
        request({ commandId: `slow ${randomUUID()}` }),
        streamId,
        60_000,
      );
      await admin.query('SELECT pg_terminate_backend($1)', [committing]);
      await admin.query('SELECT pg_advisory_unlock(77)');
      await expect(handled).resolves.toMatchObject({ id: streamId });
      await expect(store.load(counter, streamId)).resolves.toMatchObject({ state: 1 });
    });

    test('the outcome is UNKNOWN if the lost commit is still pending when the patience ends', async () => {
      const streamId = randomUUID();
      const { handled } = await lostAtCommit(request({ commandId: `slow ${randomUUID()}` }), streamId, 1_000);
      await expect(handled).rejects.toMatchObject({ code: 'UNAVAILABLE', details: { outcome: 'UNKNOWN' } });
      await admin.query('SELECT pg_advisory_unlock(77)');
    });
  });
});
