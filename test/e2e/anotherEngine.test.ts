/** A backup and a restore by GraphQL through a worker, of an engine that the program does not contain. */
import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openLog } from '../../src/log.js';
import type { Worker } from '../../src/worker/worker.js';
import { startWholeApi, type WholeApi } from '../fixtures/api/wholeApi.js';
import { createCabinetEngine } from '../fixtures/engines/cabinetEngine.js';
import { makeCabinets, type Cabinets } from '../fixtures/engines/cabinets.js';
import { describeWith } from '../fixtures/requirements.js';
import { postgresMissing } from '../fixtures/servers/postgres.js';
import { until } from '../fixtures/until.js';
import { createTestWorker } from '../fixtures/workerHarness.js';

type Made = { readonly made: { readonly id: string } };
type Part = {
  readonly objectName: string;
  readonly databases: readonly string[] | null;
  readonly steps: readonly string[];
  readonly replayed: boolean;
  readonly restoreByHand: string;
};

describeWith({ postgresql: await postgresMissing() }, 'An engine that is given to the program', () => {
  let cabinets: Cabinets;
  let api: WholeApi;
  let worker: Worker;
  let projectId: string;

  beforeAll(async () => {
    cabinets = await makeCabinets();
    const engine = createCabinetEngine(cabinets.root);
    const engines = new Map([[engine.name, engine]]);
    api = await startWholeApi(undefined, { engines });
    worker = await createTestWorker(
      api.shared,
      { appUrl: '', ownerUrl: '', masterKey: '', root: api.filesystemRoot, workRoot: api.workRoot },
      openLog('json', 'info', { write: () => undefined }),
      { engines },
    );
    const { data } = await api.post('mutation { made: createProject(name: "paper") { id } }');
    projectId = (data as Made).made.id;
  });
  afterAll(async () => {
    await worker.stop();
    await api.stop();
    await cabinets.remove();
  });

  async function create(operation: string, input: object): Promise<string> {
    const { data, text } = await api.post(`mutation ($input: ${operation}`, { input });
    const { made } = (data ?? {}) as Partial<Made>;
    if (made === undefined) throw new Error(text);
    return made.id;
  }
  const register = (name: string, port: number) =>
    create('ServiceInput!) { made: registerService(input: $input) { id } }', {
      ...{ projectId, name, engine: 'POSTGRESQL', host: '127.0.0.1', port },
    });
  async function job<T>(field: string, id: string, fields: string): Promise<T> {
    const { data } = await api.post(`query ($id: ID!) { job: ${field}(id: $id) { status message ${fields} } }`, { id });
    return (data as { job: T }).job;
  }
  const succeeds = (field: string, id: string) =>
    until(async () => {
      const { status, message } = await job<{ status: string; message: string }>(field, id, '');
      if (status === 'FAILED') throw new Error(message);
      return status === 'SUCCEEDED';
    }, `the ${field} has succeeded`);

  test('can be backed up and restored through the API', async () => {
    const serviceId = await register('full', cabinets.source.port);
    const targetId = await register('empty', cabinets.target.port);
    const checked = await api.post('mutation ($id: ID!) { checkService(id: $id) { check { ok } } }', { id: serviceId });
    expect(checked.data).toEqual({ checkService: { check: { ok: true } } });
    const fileEndpointId = await create('FileEndpointInput!) { made: createFileEndpoint(input: $input) { id } }', {
      ...{ projectId, name: 'folder', settings: { filesystem: { path: 'paper' } } },
    });
    const { data, text } = await api.post(
      'mutation ($input: StartBackupInput!) { startBackup(input: $input) { jobs { id } } }',
      { input: { service: { serviceId, fileEndpointId } } },
    );
    const { startBackup } = data as { startBackup?: { jobs: readonly { id: string }[] } };
    const backupId = startBackup?.jobs[0]?.id;
    if (backupId === undefined) throw new Error(text);

    const waiting = await job<{ message: string }>('backupJob', backupId, '');
    expect(waiting.message).toMatch(/^No worker is running/);
    await worker.start();
    await succeeds('backupJob', backupId);
    const { parts } = await job<{ parts: readonly Part[] }>(
      'backupJob',
      backupId,
      'parts { objectName databases steps replayed restoreByHand }',
    );
    expect(parts).toMatchObject([
      { databases: [], steps: ['zstd'], replayed: false, restoreByHand: expect.stringMatching(/ \| zstd -d$/) },
      { databases: ['Shop'], steps: ['zstd'], replayed: true },
      { databases: ['shop'], steps: ['zstd'], replayed: true },
    ]);

    const restoreId = await create('StartRestoreInput!) { made: startRestore(input: $input) { id } }', {
      ...{ backupJobId: backupId, target: { asNew: { serviceId: targetId } } },
    });
    await succeeds('restoreJob', restoreId);
    expect(await cabinets.contents(cabinets.target)).toEqual(await cabinets.contents(cabinets.source));
    expect(await readdir(cabinets.folderOf(cabinets.target))).not.toContain('roles');
  });

  test('is the only engine that services can be registered for', async () => {
    const input = { projectId, name: 'other', engine: 'MARIADB', host: '127.0.0.1', port: 1 };
    const { errors } = await api.post('mutation ($input: ServiceInput!) { registerService(input: $input) { id } }', {
      input,
    });
    expect(errors[0]?.extensions.details.fields).toMatchObject([
      { path: 'input.engine', hint: 'Supported engines are POSTGRESQL.' },
    ]);
  });
});
