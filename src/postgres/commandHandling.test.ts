import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomBytes, randomUUID } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { counter, tester } from '../../test/fixtures/counter.js';
import { postgresMissing, startPostgres, type TestPostgres } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { StowageError } from '../errors.js';
import type { CommandHandling, CommandRequest } from '../eventSourcing/commandHandling.js';
import type { EventStore } from '../eventSourcing/eventStore.js';
import { Secret } from '../secret.js';
import { createCommandHandling } from './commandHandling.js';
import { createEventStore } from './eventStore.js';
import { masterKeys } from './masterKeys.js';

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

  test('a password in the input is not stored, not even as a hash that could be guessed', async () => {
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
});
