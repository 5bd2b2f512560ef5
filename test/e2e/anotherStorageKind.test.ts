/**
 * A kind of storage that exists only in tests is used like any other kind: a client creates an endpoint of it, changes
 * it, backs up to it, restores from it and deletes the backup, all by GraphQL.
 */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { openLog } from '../../src/log.js';
import type { Worker } from '../../src/worker/worker.js';
import { startWholeApi, type WholeApi } from '../fixtures/api/wholeApi.js';
import { fingerprint } from '../fixtures/mariadbFingerprint.js';
import { describeWith } from '../fixtures/requirements.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../fixtures/servers/mariadb.js';
import { postgresMissing } from '../fixtures/servers/postgres.js';
import { shelfKind } from '../fixtures/shelf/shelfKind.js';
import { startShelfServer, type ShelfServer } from '../fixtures/shelf/shelfServer.js';
import { until } from '../fixtures/until.js';
import { createTestWorker } from '../fixtures/workerHarness.js';

jest.setTimeout(300_000);

describeWith({ mariadb: mariadbMissing, postgresql: await postgresMissing() }, 'Another kind of storage', () => {
  let source: MariadbServer;
  let target: MariadbServer;
  let shelf: ShelfServer;
  let api: WholeApi;
  let worker: Worker;
  let projectId: string;

  beforeAll(async () => {
    [source, target, shelf, api] = await Promise.all([
      startMariadb(),
      startMariadb(),
      startShelfServer(),
      startWholeApi(undefined, { kinds: [shelfKind] }),
    ]);
    // The object has more than one part, even after the compression.
    await source.sql(`CREATE DATABASE shop; USE shop; CREATE TABLE noise (id INT PRIMARY KEY, b BLOB);
      INSERT INTO noise SELECT seq, RANDOM_BYTES(1024) FROM seq_1_to_400;`);
    worker = await createTestWorker(
      api.shared,
      { appUrl: '', ownerUrl: '', masterKey: '', root: api.filesystemRoot, workRoot: api.workRoot },
      openLog('json', 'info', { write: () => undefined }),
      { kinds: [shelfKind], times: { sweep: 200 } },
    );
    await worker.start();
    projectId = await made('mutation { made: createProject(name: "shop") { id } }');
  }, 300_000);

  afterAll(async () => {
    await worker.stop();
    await Promise.all([api.stop(), source.stop(), target.stop(), shelf.stop()]);
  });

  async function call<T>(operation: string, variables: object = {}): Promise<T> {
    const { data, errors, text } = await api.post(operation, variables);
    if (errors.length > 0) throw new Error(text);
    return (data as { made: T }).made;
  }
  const made = async (operation: string, variables: object = {}) =>
    (await call<{ id: string }>(operation, variables)).id;
  const endpointInput = (changes: object = {}) => ({
    input: {
      projectId,
      name: 'our shelf',
      settings: { shelf: { url: shelf.url, shelf: 'ours', key: shelf.key, ...changes } },
    },
  });
  const validate = (variables: object) =>
    call<{ ok: boolean; steps: { name: string; status: string }[] }>(
      'mutation ($input: FileEndpointInput!) { made: validateFileEndpoint(input: $input) { ok steps { name status } } }',
      variables,
    );
  const registerService = (name: string, { username, password, port }: MariadbServer) =>
    made('mutation ($input: ServiceInput!) { made: registerService(input: $input) { id } }', {
      input: { projectId, name, engine: 'MARIADB', host: '127.0.0.1', port, username, password },
    });
  const ended = async (query: string, id: string) => {
    const status = () => call<{ status: string }>(`query ($id: ID!) { made: ${query}(id: $id) { status } }`, { id });
    await until(async () => !['QUEUED', 'RUNNING'].includes((await status()).status), `${query} has ended`);
    return (await status()).status;
  };

  test('can be created, changed, used for backup and restore, and emptied again', async () => {
    expect(await validate(endpointInput())).toMatchObject({ ok: true });
    expect((await validate(endpointInput({ key: 'wrong' }))).ok).toBe(false);
    const bad = await api.post(
      'mutation ($input: FileEndpointInput!) { createFileEndpoint(input: $input) { id } }',
      endpointInput({ url: 'no address' }),
    );
    expect(bad.errors[0]?.extensions).toMatchObject({
      code: 'BAD_INPUT',
      details: { fields: [{ path: 'input.settings.shelf.url' }] },
    });

    const fields = 'id kind location version settings { __typename ... on ShelfSettings { url shelf } }';
    const endpoint = await call<{ id: string }>(
      `mutation ($input: FileEndpointInput!) { made: createFileEndpoint(input: $input) { ${fields} } }`,
      endpointInput(),
    );
    expect(endpoint).toMatchObject({
      ...{ kind: 'SHELF', location: `ours at ${shelf.url}`, version: 1 },
      settings: { __typename: 'ShelfSettings', url: shelf.url, shelf: 'ours' },
    });
    const { id: fileEndpointId } = endpoint;
    const update = `mutation ($id: ID!, $input: FileEndpointPatch!) { made: updateFileEndpoint(id: $id, input: $input) { ${fields} } }`;
    const elsewhere = await api.post(update, {
      id: fileEndpointId,
      input: { settings: { shelf: { url: 'http://127.0.0.1:1' } } },
    });
    expect(elsewhere.errors[0]?.extensions).toMatchObject({
      code: 'SECRET_REQUIRED',
      details: { path: 'input.settings.shelf.key' },
    });
    const moved = await call(update, { id: fileEndpointId, input: { settings: { shelf: { shelf: 'other' } } } });
    expect(moved).toMatchObject({ settings: { shelf: 'other' } });

    const serviceId = await registerService('source', source);
    const { jobs } = await call<{ jobs: { id: string }[] }>(
      'mutation ($input: StartBackupInput!) { made: startBackup(input: $input) { jobs { id } } }',
      { input: { service: { serviceId, fileEndpointId } } },
    );
    const backupId = jobs[0]?.id ?? '';
    expect(await ended('backupJob', backupId)).toBe('SUCCEEDED');
    const { parts } = await call<{ parts: { objectName: string; restoreByHand: string }[] }>(
      'query ($id: ID!) { made: backupJob(id: $id) { parts { objectName restoreByHand } } }',
      { id: backupId },
    );
    expect(parts[0]?.restoreByHand).toMatch(`shelf get other/${parts[0]?.objectName ?? ''} |`);
    const stored = shelf.objects.get(`other/${parts[0]?.objectName ?? ''}`);
    expect(stored?.length).toBeGreaterThan(5 * 64 * 1024);
    const leaves = await api.post(update, {
      id: fileEndpointId,
      input: { settings: { shelf: { shelf: 'ours' } } },
    });
    expect(leaves.errors[0]?.extensions.code).toBe('ENDPOINT_IN_USE');

    const targetId = await registerService('target', target);
    const restoreId = await made('mutation ($input: StartRestoreInput!) { made: startRestore(input: $input) { id } }', {
      input: { backupJobId: backupId, target: { asNew: { serviceId: targetId } } },
    });
    expect(await ended('restoreJob', restoreId)).toBe('SUCCEEDED');
    expect(await fingerprint(target, ['shop'])).toEqual(await fingerprint(source, ['shop']));

    await call('mutation ($id: ID!) { made: deleteBackup(id: $id, force: true) { id } }', { id: backupId });
    const isEmpty = () => [...shelf.objects.keys()].every((name) => name.endsWith('.stowage.json'));
    await until(isEmpty, 'nothing of the backup is left');
    expect(shelf.unfinished()).toEqual([]);
  });
});
