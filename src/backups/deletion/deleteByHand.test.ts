import { randomUUID } from 'node:crypto';
import { mkdir, rename } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { executeCommands } from '../../../test/fixtures/backupJobs.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { settledFolder, settleProject } from '../../../test/fixtures/settledProject.js';
import { memberOf } from '../../../test/fixtures/api/sliceApi.js';
import { storeBackup, type Harbour } from '../../../test/fixtures/storedBackups.js';
import { startWholeApi, type HttpAnswer, type WholeApi } from '../../../test/fixtures/api/wholeApi.js';
import { fileEndpoint } from '../../endpoints/fileEndpoint.js';
import { Secret } from '../../secret.js';
import { deleteByHand } from './deleteByHand.js';
import { rowById } from '../../server/rowsById.js';
import { BackupJobTable } from '../backupJobView.js';
import { missingAfterMs } from '../storedBackup.js';

const remove = `mutation ($id: ID!, $force: Boolean! = false, $commandId: ID) {
  deleteBackup(id: $id, force: $force, commandId: $commandId) { availability message } }`;
const hold = `mutation ($id: ID!, $reason: String!, $commandId: ID) {
  holdBackup(id: $id, reason: $reason, commandId: $commandId) { hold { reason by at } viewerActions version } }`;
const release = `mutation ($id: ID!, $commandId: ID) {
  releaseBackup(id: $id, commandId: $commandId) { hold { reason } viewerActions version } }`;

describeWith({ postgresql: await postgresMissing() }, 'deleting and holding backups by hand', () => {
  let api: WholeApi;
  beforeAll(async () => {
    api = await startWholeApi();
  });
  afterAll(() => api.stop());

  type Ground = Awaited<ReturnType<typeof settle>>;
  async function settle() {
    const name = `h${randomUUID().slice(0, 8)}`;
    const project = await settleProject(api, name, 9);
    const { projectId, serviceId, planId, fileEndpointId, idleFileEndpointId } = project;
    // This is not the endpoint of the settled project's own backups, because their bytes are not in the container.
    await change(planId, [idleFileEndpointId]);
    const folder = settledFolder(api, project, 'idle');
    const harbour: Harbour = { projectId, serviceId, planId, fileEndpointId: idleFileEndpointId, folder };
    const day = (number: number) => new Date(Date.UTC(2026, 5, number));
    return {
      project,
      harbour,
      fileEndpointId,
      store: (of: number, request?: object) => storeBackup(api.shared, harbour, day(of), request),
      storeWithoutPlan: (of: number) =>
        storeBackup(api.shared, { ...harbour, planId: null }, day(of), { trigger: 'MANUAL' }),
      job: (id: string) => ({ id, projectId }),
    };
  }
  async function change(id: string, fileEndpointIds: readonly string[]): Promise<void> {
    const update =
      'mutation ($id: ID!, $ids: [ID!]!) { updateBackupPlan(id: $id, input: { fileEndpointIds: $ids }) { id } }';
    expect((await api.post(update, { id, ids: fileEndpointIds })).errors).toEqual([]);
  }

  const refusalOf = ({ errors }: HttpAnswer) => {
    const { message, extensions } = errors[0] ?? { message: 'It was taken.', extensions: undefined };
    return { message, ...extensions } as { message: string; code?: string; help?: string; details?: unknown };
  };
  const availability = async (id: string): Promise<unknown> =>
    (await api.post('query ($id: ID!) { backupJob(id: $id) { availability viewerActions } }', { id })).data.backupJob;
  const typesOf = async (id: string) =>
    (await api.shared.store.read({ streamId: id }))
      .map(({ type }) => type)
      .filter((type) => /Hold|Held|Deletion/.test(type));

  test('an older backup is deleted; the last good backup of a destination needs force, and the error states this', async () => {
    const { store } = await settle();
    const [older, newer] = [await store(1), await store(2)];
    expect((await api.post(remove, { id: older.id })).data.deleteBackup).toMatchObject({ availability: 'DELETING' });
    const refused = refusalOf(await api.post(remove, { id: newer.id }));
    expect(refused).toMatchObject({ code: 'CONFLICT', details: { needs: 'force' } });
    expect(refused.message).toMatch(/last good backup/);
    expect(refused.help).toMatch(/force: true/);
    expect((await api.post(remove, { id: newer.id, force: true })).data.deleteBackup.availability).toBe('DELETING');
  });

  test('a manual backup never replaces a scheduled one, but it is the last good one if there is no other', async () => {
    const { store } = await settle();
    const byHand = await store(2, { trigger: 'MANUAL' });
    const scheduled = await store(1);
    expect(refusalOf(await api.post(remove, { id: scheduled.id })).details).toEqual({ needs: 'force' });
    expect((await api.post(remove, { id: scheduled.id, force: true })).errors).toEqual([]);
    expect(refusalOf(await api.post(remove, { id: byHand.id })).details).toEqual({ needs: 'force' });
    const again = await store(3);
    expect((await api.post(remove, { id: byHand.id })).errors).toEqual([]);
    expect(await availability(again.id)).toMatchObject({ availability: 'STORED' });
  });

  test('without a plan the backups of a service at an endpoint replace each other', async () => {
    const { storeWithoutPlan } = await settle();
    const [first, second] = [await storeWithoutPlan(1), await storeWithoutPlan(2)];
    expect((await api.post(remove, { id: second.id })).errors).toEqual([]);
    expect(refusalOf(await api.post(remove, { id: first.id })).details).toEqual({ needs: 'force' });
  });

  test.each([
    ['with a plan', (of: Ground, day: number) => of.store(day)],
    ['without a plan', (of: Ground, day: number) => of.storeWithoutPlan(day)],
  ])(
    'nothing is deleted if the replacing backup is not in the container, %s, and the error names the missing object',
    async (_how, storeOne) => {
      const ground = await settle();
      const [older, newer] = [await storeOne(ground, 1), await storeOne(ground, 2)];
      await newer.deleteBytes();
      const refused = refusalOf(await api.post(remove, { id: older.id }));
      const objectName = `service/2026/01/${newer.id}-a1/backup.json`;
      expect(refused).toMatchObject({ code: 'CONFLICT', details: { needs: 'force', backupId: newer.id, objectName } });
      expect(refused.message).toContain(objectName);
      expect(await availability(older.id)).toMatchObject({ availability: 'STORED' });
      expect((await api.post(remove, { id: older.id, force: true })).data.deleteBackup.availability).toBe('DELETING');
    },
  );

  test('the newest verified backup is checked in the container too', async () => {
    const { store, job } = await settle();
    const [victim, verified] = [await store(1), await store(2)];
    await store(3);
    const verification = { level: 'READABLE', at: new Date().toISOString() } as const;
    await executeCommands(api.shared, job(verified.id), { kind: 'RECORD_VERIFICATION', verification });
    await verified.deleteBytes();
    expect(refusalOf(await api.post(remove, { id: victim.id })).details).toMatchObject({ backupId: verified.id });
  });

  test('a backup that an audit did not find in the container replaces no other backup', async () => {
    const { store, job } = await settle();
    const [older, newer] = [await store(1), await store(2)];
    await executeCommands(api.shared, job(newer.id), { kind: 'REPORT_ABSENT', at: new Date().toISOString() });
    expect(refusalOf(await api.post(remove, { id: older.id })).details).toEqual({ needs: 'force' });
  });

  test('a MISSING backup is deleted without force', async () => {
    const { store, job } = await settle();
    const lost = await store(1);
    const { id } = lost;
    await lost.deleteBytes();
    const at = Date.now();
    await executeCommands(api.shared, job(id), {
      kind: 'REPORT_ABSENT',
      at: new Date(at - missingAfterMs).toISOString(),
    });
    await executeCommands(api.shared, job(id), { kind: 'REPORT_ABSENT', at: new Date(at).toISOString() });
    expect(await availability(id)).toEqual({ availability: 'MISSING', viewerActions: ['DELETE'] });
    expect((await api.post(remove, { id })).data.deleteBackup).toMatchObject({ availability: 'DELETING' });
  });

  test('nothing is deleted without force while the container cannot be reached', async () => {
    const { store, harbour } = await settle();
    const [older] = [await store(1), await store(2)];
    await rename(harbour.folder, `${harbour.folder} elsewhere`);
    const refused = refusalOf(await api.post(remove, { id: older.id }));
    expect(refused).toMatchObject({ details: { needs: 'force' }, code: expect.stringMatching(/^ENDPOINT_|CONFLICT/) });
    expect(await availability(older.id)).toMatchObject({ availability: 'STORED' });
    await mkdir(harbour.folder);
    expect((await api.post(remove, { id: older.id, force: true })).data.deleteBackup.availability).toBe('DELETING');
  });

  test('the check of a container that does not answer ends after the limit, and the error suggests force', async () => {
    const sockets = new Set<Socket>();
    const silent = createServer((socket) => void sockets.add(socket));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    try {
      const { harbour, job } = await settle();
      const fileEndpointId = await addSilentSwift(harbour.projectId, port);
      const at = { ...harbour, fileEndpointId };
      const older = await storeBackup(api.shared, at, new Date('2026-06-01'));
      await storeBackup(api.shared, at, new Date('2026-06-02'));
      const row = await rowById(api.shared.dataSource.manager, BackupJobTable, older.id);
      if (row === null) throw new Error('It was not stored.');
      const tools = { ...api.shared, stopping: new AbortController().signal, checkMs: 500 };
      const metadata = { actor: 'a person', correlationId: randomUUID() };
      const request = { ...{ operation: 'deleteBackup', input: {}, subject: 'a person' }, ...job(older.id), metadata };
      const deletion = { force: false, by: 'a person', expectedVersion: undefined };
      await expect(deleteByHand(tools, request, row, deletion)).rejects.toMatchObject({
        code: 'ENDPOINT_UNREACHABLE',
        help: expect.stringContaining('force: true'),
      });
      expect(await availability(older.id)).toMatchObject({ availability: 'STORED' });
      await deleteByHand(tools, request, row, { ...deletion, force: true });
      expect(await availability(older.id)).toMatchObject({ availability: 'DELETING' });
    } finally {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => silent.close(resolve));
    }
  });

  async function addSilentSwift(projectId: string, port: number): Promise<string> {
    const id = randomUUID();
    const { store, vault } = api.shared;
    await store.transact({ actor: 'tester', correlationId: randomUUID() }, async (tx) => {
      await tx.reservations.register(id, 'file endpoint', projectId);
      const credential = await vault.store(tx.manager, projectId, new Secret('testing'));
      const authUrl = `http://127.0.0.1:${port}/auth/v1.0`;
      const user = { method: 'V1', user: 'test:tester' } as const;
      const settings = { kind: 'SWIFT', authUrl, container: 'backups', region: null, user } as const;
      const at = new Date().toISOString();
      const content = { name: 'silent', settings, prefix: '', credential };
      const check = { ok: true, checkedAt: at, steps: [] };
      await tx.execute(fileEndpoint, { id, projectId }, { kind: 'CREATE', content, check, at });
    });
    return id;
  }

  test('a held backup cannot be deleted until it is released, not even with force', async () => {
    const { store } = await settle();
    const [older] = [await store(1), await store(2)];
    const held = await api.post(hold, { id: older.id, reason: 'The audit of June' });
    expect(held.data.holdBackup).toMatchObject({
      hold: { reason: 'The audit of June', by: 'installation' },
      viewerActions: ['RELEASE', 'RESTORE'],
    });
    for (const force of [false, true]) {
      const refused = refusalOf(await api.post(remove, { id: older.id, force }));
      expect(refused).toMatchObject({ code: 'CONFLICT', help: expect.stringContaining('releaseBackup') });
      expect(refused.message).toContain('The audit of June');
    }
    const released = await api.post(release, { id: older.id });
    expect(released.data.releaseBackup).toMatchObject({ hold: null, viewerActions: ['DELETE', 'HOLD', 'RESTORE'] });
    expect((await api.post(remove, { id: older.id })).errors).toEqual([]);
    expect(await typesOf(older.id)).toEqual(['BackupHeld', 'BackupHoldReleased', 'BackupDeletionDecided']);
    const events = 'query ($id: ID!) { events(streamId: $id, first: 200) { edges { node { type summary } } } }';
    const recorded = (await api.post(events, { id: older.id })).data.events.edges as {
      node: { type: string; summary: string };
    }[];
    expect(recorded.find(({ node }) => node.type === 'BackupHeld')?.node.summary).toBe(
      'installation holds the backup: The audit of June',
    );
  });

  test('a second hold for the same reason changes nothing, a hold for another reason is refused, and a command id is idempotent', async () => {
    const { store } = await settle();
    const { id } = await store(1);
    const commandId = randomUUID();
    const first = await api.post(hold, { id, reason: 'audit', commandId });
    expect((await api.post(hold, { id, reason: 'audit' })).data).toEqual(first.data);
    expect((await api.post(hold, { id, reason: 'court', commandId })).errors[0]?.extensions.code).toBe(
      'IDEMPOTENCY_MISMATCH',
    );
    const other = refusalOf(await api.post(hold, { id, reason: 'court' }));
    expect(other).toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('audit') });
    const letGo = randomUUID();
    await api.post(release, { id, commandId: letGo });
    // The repeated commands neither hold nor release it again.
    await api.post(hold, { id, reason: 'audit', commandId });
    expect(await typesOf(id)).toEqual(['BackupHeld', 'BackupHoldReleased']);
    await api.post(hold, { id, reason: 'court' });
    await api.post(release, { id, commandId: letGo });
    expect(await typesOf(id)).toEqual(['BackupHeld', 'BackupHoldReleased', 'BackupHeld']);
  });

  test('operators hold and release, administrators delete, and viewers do neither', async () => {
    const { store, project } = await settle();
    const [{ id }] = [await store(1), await store(2)];
    const query = 'query ($id: ID!) { backupJob(id: $id) { viewerActions } }';
    const actionsOf = async (token: string): Promise<unknown> =>
      (await api.post(query, { id }, token)).data.backupJob.viewerActions;
    const [viewer, operator, admin] = (['VIEWER', 'OPERATOR', 'ADMIN'] as const).map((role) =>
      api.admit(memberOf(project.projectId, role)),
    ) as [string, string, string];
    expect(await actionsOf(viewer)).toEqual([]);
    expect(await actionsOf(operator)).toEqual(['HOLD', 'RESTORE']);
    expect(await actionsOf(admin)).toEqual(['DELETE', 'HOLD', 'RESTORE']);
    expect(refusalOf(await api.post(hold, { id, reason: 'audit' }, viewer)).code).toBe('FORBIDDEN');
    expect((await api.post(hold, { id, reason: 'audit' }, operator)).data.holdBackup.hold.by).toBe(
      'person:https://id.example.org#member-OPERATOR',
    );
    expect(await actionsOf(operator)).toEqual(['RELEASE', 'RESTORE']);
    expect(refusalOf(await api.post(release, { id }, viewer)).code).toBe('FORBIDDEN');
    expect((await api.post(release, { id }, operator)).data.releaseBackup.hold).toBeNull();
    expect(refusalOf(await api.post(remove, { id }, operator)).code).toBe('FORBIDDEN');
    expect((await api.post(remove, { id }, admin)).errors).toEqual([]);
  });
});
