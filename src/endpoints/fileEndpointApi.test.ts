import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { keystoneMissing, startKeystone, type KeystoneServer } from '../../test/fixtures/servers/keystone.js';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { memberOf, startSliceApi, type SliceApi } from '../../test/fixtures/api/sliceApi.js';
import { startSwift, swiftMissing, type SwiftServer } from '../../test/fixtures/servers/swift.js';
import { createPrefixMarks } from '../postgres/prefixMarks.js';
import { entitiesInUse } from '../postgres/entitiesInUse.js';
import { NodeResolver } from '../server/nodeApi.js';
import { parseAllowedTargets } from '../storage/allowedTargets.js';
import { createStorageKinds } from '../storage/createStorageKinds.js';
import type { StorageKinds } from '../storage/storageKinds.js';
import { saveAudit } from './containerAudit.js';
import { fileEndpointNodes, fileEndpointResolvers, type FileEndpointDependencies } from './fileEndpointApi.js';
import { findFileEndpoint } from './fileEndpointQueries.js';
import { openFileEndpoint, openStorage } from './openFileEndpoint.js';

const fields = `id name kind location prefix version viewerActions removedAt lastCheck { ok } project { id } encryption { method }
  settings { __typename ... on FilesystemSettings { path } ... on SwiftSettings { authUrl container region
    credentials { __typename ... on SwiftV1User { user } ... on SwiftServiceUser { username project } } } }`;
const validate = `mutation ($input: FileEndpointInput!) { validateFileEndpoint(input: $input) { ok steps { name status code message } } }`;
const create = `mutation ($input: FileEndpointInput!, $commandId: ID) { createFileEndpoint(input: $input, commandId: $commandId) { ${fields} } }`;
const update = `mutation ($id: ID!, $input: FileEndpointPatch!, $expectedVersion: Int) {
  updateFileEndpoint(id: $id, input: $input, expectedVersion: $expectedVersion) { ${fields} } }`;
const check = `mutation ($id: ID!, $input: FileEndpointPatch) { checkFileEndpoint(id: $id, input: $input) {
  check { ok steps { name status code } } fileEndpoint { name lastCheck { ok } } } }`;
const remove = 'mutation ($id: ID!) { removeFileEndpoint(id: $id) { id removedAt viewerActions } }';

type Step = { name: string; status: string; code: string | null; message: string | null };
const failedStep = (check: unknown) => (check as { steps: Step[] }).steps.find(({ status }) => status === 'FAILED');

describeWith({ postgresql: await postgresMissing() }, 'file endpoints over GraphQL', () => {
  let api: SliceApi;
  let projectId: string;
  let root: string;
  /** The folder of the project. */
  let own: string;
  const allowedTargets = parseAllowedTargets('default,loopback');
  let storages: StorageKinds;
  const installationId = randomUUID();
  const holding = new Set<string>();
  const newest = new Map<string, readonly string[]>();

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'stowage-endpoints-'));
    storages = createStorageKinds({ filesystemRoot: root, allowedTargets });
    api = await startSliceApi((ground) => {
      const dependencies: FileEndpointDependencies = {
        ...ground,
        storages,
        installationId,
        prefixMarks: createPrefixMarks(ground.dataSource),
        holdsBackups: (_manager, id) => Promise.resolve(holding.has(id)),
        newestBackupFolders: (_manager, id) => Promise.resolve(newest.get(id) ?? []),
        stopping: new AbortController().signal,
        endpointsUsedBy: () => Promise.resolve([]),
        entitiesInUse: (ids) => entitiesInUse(ground.dataSource, ids),
      };
      return [...fileEndpointResolvers(dependencies), new NodeResolver([fileEndpointNodes(dependencies)])];
    });
    projectId = await api.createProject();
    own = join(root, `project-${projectId}`);
  });
  afterAll(async () => {
    await api.stop();
    await rm(root, { recursive: true });
  });

  const input = (settings: object, changes: object = {}) => ({
    projectId,
    name: `endpoint ${randomUUID()}`,
    settings,
    ...changes,
  });
  const folder = (path: string, changes: object = {}) => input({ filesystem: { path } }, changes);
  type Created = { id: string; name: string; version: number };
  const created = async (values: object): Promise<Created> => {
    const answer = await api.call(create, { input: values });
    if (answer.code !== undefined) throw new Error(`${answer.code}: ${answer.message ?? ''}`);
    return answer.data.createFileEndpoint as Created;
  };
  const storedRow = async (id: string) => {
    const row = await findFileEndpoint(api.dataSource.manager, id);
    if (row === null) throw new Error('The endpoint is not in the view.');
    return row;
  };

  describe('folders', () => {
    test('validate goes through every step, saves nothing and leaves nothing behind', async () => {
      const before = await api.countEvents();
      const { data } = await api.call(validate, { input: folder('validated/deep') });
      expect(data.validateFileEndpoint.ok).toBe(true);
      const names = (data.validateFileEndpoint.steps as Step[]).map(({ name }) => name);
      expect(names).toEqual(['RESOLVE', 'CONTAINER', 'WRITE', 'READ_BACK', 'DELETE', 'CAPABILITIES']);
      expect(await readdir(root)).toEqual([]);
      expect(await api.countEvents()).toBe(before);
    });

    test('submit saves the folder with its check, and marks the prefix as ours', async () => {
      const { data } = await api.call(create, { input: folder(`${own}/orders/`, { prefix: 'daily' }) });
      expect(data.createFileEndpoint).toMatchObject({
        kind: 'FILESYSTEM',
        location: `${own}/orders`,
        settings: { __typename: 'FilesystemSettings', path: `project-${projectId}/orders` },
        prefix: 'daily/',
        lastCheck: { ok: true },
        version: 1,
        encryption: null,
        project: { id: projectId },
        viewerActions: ['UPDATE', 'REMOVE', 'CHECK'],
      });
      const marker = JSON.parse(await readFile(join(own, 'orders/daily/.stowage.json'), 'utf8')) as object;
      expect(marker).toEqual({ format: 1, installation: installationId, projects: [expect.any(String)] });
      expect(JSON.stringify(marker)).not.toContain(projectId);
    });

    test('an endpoint shows the last audit of its container, and why the newest audit failed', async () => {
      const { id } = await created(folder('audited'));
      const audits = `query ($id: ID!) { fileEndpoint(id: $id) {
        lastAudit { at backups missing unknownObjects unknownSize unknownSample removedSize prefixesNotSeen }
        auditProblem { code message help }
      } }`;
      const none = await api.call(audits, { id });
      expect(none.data.fileEndpoint).toEqual({ lastAudit: null, auditProblem: null });
      const at = '2026-03-02T05:00:00.000Z';
      const counts = {
        backups: 3,
        missing: 1,
        unknownObjects: 2,
        unknownSample: ['notes.txt'],
        prefixesNotSeen: ['before/'],
      };
      const problem = { code: 'ENDPOINT_UNREACHABLE', message: 'It does not answer.', help: 'Wait.' };
      await saveAudit(api.dataSource.manager, {
        ...{ fileEndpointId: id, dueAt: new Date(), failures: 1, problem },
        result: { at, ...counts, unknownSizeBytes: 5_000_000_000, removedSizeBytes: 7 },
      });
      expect((await api.call(audits, { id })).data.fileEndpoint).toEqual({
        lastAudit: { at, ...counts, unknownSize: 5_000_000_000, removedSize: 7 },
        auditProblem: problem,
      });
    });

    test('a name of an endpoint is taken once in a project', async () => {
      const { name } = await created(folder('first'));
      expect((await api.call(create, { input: folder('second', { name }) })).code).toBe('CONFLICT');
    });

    test('a prefix of another installation is refused, and validate fails at the container', async () => {
      await mkdir(join(own, 'foreign'));
      const owner = randomUUID();
      await writeFile(join(own, 'foreign/.stowage.json'), JSON.stringify({ format: 1, installation: owner }));
      const { data } = await api.call(validate, { input: folder('foreign') });
      expect(failedStep(data.validateFileEndpoint)).toMatchObject({ name: 'CONTAINER', code: 'CONFLICT' });
      const { steps } = data.validateFileEndpoint as { steps: Step[] };
      expect(steps.filter(({ name }) => name === 'WRITE')).toMatchObject([{ status: 'SKIPPED' }]);
      const { code, details } = await api.call(create, { input: folder('foreign') });
      expect(code).toBe('CHECK_FAILED');
      expect(failedStep(details.check)?.message).toContain(`belongs to another Stowage installation (${owner})`);
      const inside = await api.call(create, { input: folder('foreign', { prefix: 'ours' }) });
      expect(failedStep(inside.details.check)).toMatchObject({ name: 'CONTAINER', code: 'CONFLICT' });
    });

    test.each([
      ['..', '../outside'],
      ['.. in the middle', 'a/../../outside'],
      ['another absolute path', '/etc'],
      ['the root itself', '.'],
      ['an empty part', 'a//b'],
      ['a control character', 'a\nb'],
      ['nothing', ''],
    ])('a path with %s is BAD_INPUT', async (_what, path) => {
      const { code, details } = await api.call(validate, { input: folder(path) });
      expect(code).toBe('BAD_INPUT');
      expect(details.fields).toMatchObject([{ path: 'input.settings.filesystem.path' }]);
    });

    test.each(['link', 'link/below', 'real/link'])('a path through a symbolic link (%s) is BAD_INPUT', async (path) => {
      await mkdir(join(own, 'real'), { recursive: true });
      for (const link of ['link', 'real/link']) await symlink('/tmp', join(own, link)).catch(() => undefined);
      const { code, details } = await api.call(create, { input: folder(path) });
      expect(code).toBe('BAD_INPUT');
      expect(details.fields).toMatchObject([
        { path: 'input.settings.filesystem.path', problem: 'contains a symbolic link' },
      ]);
    });

    test.each([
      ['/a', 'input.prefix'],
      ['a/../b', 'input.prefix'],
      ['a\u0000b', 'input.prefix'],
      ['a//b', 'input.prefix'],
      ['a/.stowage.json', 'input.prefix'],
      ['harbour-01234567/2026/03/20260302T050000Z-89abcdef-a1', 'input.prefix'],
      ['p/harbour-01234567/2026/03/20260302T050000Z-89abcdef-a1/segments', 'input.prefix'],
    ])('prefix %j is BAD_INPUT', async (prefix, path) => {
      const { details } = await api.call(create, { input: folder('p', { prefix }) });
      expect(details.fields).toMatchObject([{ path }]);
    });

    test('a kind or option that is not built yet is NOT_YET_AVAILABLE', async () => {
      const s3 = { region: 'r', bucket: 'b', accessKeyId: 'a', secretAccessKey: 's' };
      const application = {
        authUrl: 'http://k',
        container: 'c',
        credentials: { applicationCredential: { id: 'i', secret: 's' } },
      };
      for (const values of [
        input({ s3 }),
        input({ swift: application }),
        folder('e', { encryption: { recipients: ['age1'] } }),
      ]) {
        expect((await api.call(create, { input: values })).code).toBe('NOT_YET_AVAILABLE');
      }
    });

    test('the same commandId returns the same endpoint without another check', async () => {
      const values = folder('once');
      const commandId = randomUUID();
      const first = await api.call(create, { input: values, commandId });
      await rm(join(own, 'once'), { recursive: true });
      expect((await api.call(create, { input: values, commandId })).data).toEqual(first.data);
      expect(await readdir(own)).not.toContain('once');
      const other = await api.call(create, { input: { ...values, prefix: 'x' }, commandId });
      expect(other.code).toBe('IDEMPOTENCY_MISMATCH');
    });

    test('renaming an endpoint runs no check and frees the old name', async () => {
      const { id, name } = await created(folder('renamed'));
      await rm(join(own, 'renamed'), { recursive: true });
      const { data } = await api.call(update, { id, input: { name: `${name} 2` } });
      expect(data.updateFileEndpoint).toMatchObject({ name: `${name} 2`, version: 2 });
      expect(await readdir(own)).not.toContain('renamed');
      await created(folder('as before', { name }));
    });

    test('another path is checked and marked, and refused while backups are at the old path', async () => {
      const { id } = await created(folder('old'));
      const change = { settings: { filesystem: { path: 'new' } } };
      holding.add(id);
      expect((await api.call(update, { id, input: change })).code).toBe('ENDPOINT_IN_USE');
      expect((await api.call(update, { id, input: { prefix: 'p' } })).data.updateFileEndpoint.prefix).toBe('p/');
      holding.delete(id);
      const { data } = await api.call(update, { id, input: { ...change, prefix: null } });
      expect(data.updateFileEndpoint).toMatchObject({ settings: { path: `project-${projectId}/new` }, prefix: null });
      expect(await readdir(join(own, 'new'))).toEqual(['.stowage.json']);
    });

    test('another kind, a null without a default and a stale version are refused', async () => {
      const { id } = await created(folder('kind'));
      const other = await api.call(update, { id, input: { settings: { swift: { container: 'c' } } } });
      expect(other).toMatchObject({ code: 'BAD_INPUT', details: { fields: [{ path: 'input.settings' }] } });
      const nulls = await api.call(update, { id, input: { name: null, settings: null } });
      expect(nulls.details.fields).toMatchObject([{ path: 'input.name' }, { path: 'input.settings' }]);
      await api.call(update, { id, input: { prefix: 'p' } });
      const stale = await api.call(update, { id, input: { name: 'x' }, expectedVersion: 1 });
      expect(stale).toMatchObject({ code: 'CONFLICT', details: { expectedVersion: 1, actualVersion: 3 } });
    });

    test('an endpoint in use is not removed; a removed one can be read by its id and is in no list', async () => {
      const { id } = await created(folder('removed'));
      const tester = { actor: 'tester', correlationId: 'c' };
      await api.store.transact(tester, (tx) => tx.reservations.use(id, 'a plan'));
      expect((await api.call(remove, { id })).code).toBe('ENDPOINT_IN_USE');
      await api.store.transact(tester, (tx) => tx.reservations.release(id, 'a plan'));
      const { data } = await api.call(remove, { id });
      expect(data.removeFileEndpoint).toEqual({ id, removedAt: expect.any(String), viewerActions: [] });
      const query =
        'query ($id: ID!) { fileEndpoint(id: $id) { id } node(id: $id) { __typename } fileEndpoints { nodes { id } } }';
      const seen = await api.call(query, { id });
      expect(seen.data).toMatchObject({ fileEndpoint: { id }, node: { __typename: 'FileEndpoint' } });
      expect(seen.data.fileEndpoints.nodes).not.toContainEqual({ id });
      expect((await api.call(check, { id })).code).toBe('CONFLICT');
      expect((await api.call(update, { id, input: { name: 'x' } })).code).toBe('CONFLICT');
    });

    test('a worker opens the folder by its id if the machine offers the root', async () => {
      const { id } = await created(folder('opened', { prefix: 'p' }));
      const tools = { dataSource: api.dataSource, vault: api.vault, storages };
      const { storage, prefix, downloadCommand } = await openFileEndpoint(tools, id);
      const signal = AbortSignal.timeout(120_000);
      await storage.putBytes(`${prefix}x`, Buffer.from('x'), { signal });
      await storage.close();
      expect(await readFile(join(own, 'opened/p/x'), 'utf8')).toBe('x');
      expect(downloadCommand('p/x')).toBe(`cat ${own}/opened/p/x`);
      const elsewhere = { ...tools, storages: createStorageKinds({ filesystemRoot: null, allowedTargets }) };
      await expect(openFileEndpoint(elsewhere, id)).rejects.toMatchObject({ code: 'ENDPOINT_FORBIDDEN' });
      await expect(openFileEndpoint(tools, randomUUID())).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });

    test('members of other projects see neither endpoint nor project', async () => {
      const { id } = await created(folder('mine'));
      const stranger = memberOf(randomUUID(), 'ADMIN');
      const query = 'query ($id: ID!) { fileEndpoint(id: $id) { id } fileEndpoints { totalCount } }';
      expect((await api.call(query, { id }, stranger)).data).toEqual({
        fileEndpoint: null,
        fileEndpoints: { totalCount: 0 },
      });
      expect((await api.call(check, { id }, stranger)).code).toBe('NOT_FOUND');
      expect((await api.call(create, { input: folder('x') }, stranger)).code).toBe('NOT_FOUND');
      expect((await api.call(remove, { id }, memberOf(projectId, 'OPERATOR'))).code).toBe('FORBIDDEN');
    });
  });

  describeWith({ keystone: keystoneMissing, swift: swiftMissing }, 'service users of a Keystone', () => {
    let keystone: KeystoneServer;

    beforeAll(async () => {
      keystone = await startKeystone();
    });
    afterAll(() => keystone.stop());

    const swiftInput = () => ({
      swift: {
        authUrl: keystone.authUrl,
        container: 'backups',
        region: 'RegionOne',
        createContainer: true,
        credentials: { serviceUser: { username: 'demo', password: 'demopass', project: 'demo' } },
      },
    });

    test('submit uses the catalogue of the region', async () => {
      const { data, message } = await api.call(create, { input: input(swiftInput()) });
      expect(message).toBeUndefined();
      expect(data.createFileEndpoint).toMatchObject({
        location: 'backups at RegionOne',
        settings: {
          region: 'RegionOne',
          credentials: { __typename: 'SwiftServiceUser', username: 'demo', project: 'demo' },
        },
      });
    });
  });

  describeWith({ swift: swiftMissing }, 'Swift containers', () => {
    let swift: SwiftServer;

    beforeAll(async () => {
      swift = await startSwift();
    });
    afterAll(() => swift.stop());

    const v1 = (changes: object = {}) => ({ v1: { user: 'test:tester', key: 'testing', ...changes } });
    const container = (name: string, changes: object = {}) => ({
      swift: {
        authUrl: `${swift.url}/auth/v1.0`,
        container: name,
        createContainer: true,
        credentials: v1(),
        ...changes,
      },
    });

    test('submit creates the container, and stores the key only in the vault', async () => {
      const { id } = await created(input(container('made'), { prefix: 'p' }));
      const { data } = await api.call(`query ($id: ID!) { fileEndpoint(id: $id) { ${fields} } }`, { id });
      expect(data.fileEndpoint).toMatchObject({
        kind: 'SWIFT',
        location: 'made',
        settings: { container: 'made', region: null, credentials: { __typename: 'SwiftV1User', user: 'test:tester' } },
      });
      const events = await api.dataSource.query<object[]>('SELECT data FROM events WHERE stream_id = $1', [id]);
      expect(JSON.stringify(events)).not.toContain('testing');
      const storage = await openStorage(await storedRow(id), { storages, vault: api.vault });
      const signal = AbortSignal.timeout(120_000);
      const names: string[] = [];
      for await (const object of storage.list('', { signal })) names.push(object.name);
      expect(names).toEqual(['p/.stowage.json']);
      await storage.close();
      expect((await api.call(check, { id })).data.checkFileEndpoint.check.ok).toBe(true);
    });

    test('validate with createContainer leaves no container behind', async () => {
      expect((await api.call(validate, { input: input(container('tried')) })).data.validateFileEndpoint.ok).toBe(true);
      const without = container('tried', { createContainer: false });
      const { data } = await api.call(validate, { input: input(without) });
      expect(failedStep(data.validateFileEndpoint)).toMatchObject({ name: 'CONTAINER', code: 'ENDPOINT_NOT_FOUND' });
    });

    test('a wrong key is refused with the result of the check, and nothing is saved', async () => {
      const before = await api.countEvents();
      const wrong = input(container('x', { credentials: v1({ key: 'wrong' }) }));
      const { code, details } = await api.call(create, { input: wrong });
      expect(code).toBe('CHECK_FAILED');
      expect(failedStep(details.check)).toMatchObject({ name: 'AUTHENTICATE', code: 'ENDPOINT_AUTH' });
      expect(await api.countEvents()).toBe(before);
    });

    test('another authUrl needs the key again, and a change that fails its check is not saved', async () => {
      const { id } = await created(input(container('moved')));
      const elsewhere = { settings: { swift: { authUrl: 'http://127.0.0.1:9/auth/v1.0' } } };
      expect((await api.call(update, { id, input: elsewhere })).code).toBe('SECRET_REQUIRED');
      expect((await api.call(check, { id, input: elsewhere })).code).toBe('SECRET_REQUIRED');
      const withKey = { settings: { swift: { ...elsewhere.settings.swift, credentials: v1() } } };
      expect((await api.call(update, { id, input: withKey })).code).toBe('CHECK_FAILED');
      const checked = await api.call(check, { id, input: withKey });
      expect(failedStep(checked.data.checkFileEndpoint.check)).toMatchObject({ name: 'RESOLVE' });
      expect((await storedRow(id)).settings).toMatchObject({ authUrl: `${swift.url}/auth/v1.0` });
    });

    test('while the endpoint holds backups, another authUrl must lead to the same place', async () => {
      const { id } = await created(input(container('settled')));
      const storage = await openStorage(await storedRow(id), { storages, vault: api.vault });
      const by = (authUrl: string) => ({ settings: { swift: { authUrl, credentials: v1() } } });
      holding.add(id);
      const sameCloud = by(`http://localhost:${swift.port}/auth/v1.0`);
      expect((await api.call(update, { id, input: sameCloud })).code).toBeUndefined();
      holding.delete(id);
      await storage.close();
    });

    test('a place with our marker but without the newest backups, such as an old copy, is not the same place', async () => {
      const { id } = await created(input(container('copied')));
      const storage = await openStorage(await storedRow(id), { storages, vault: api.vault });
      const folders = ['', 'before/'].map(
        (prefix) => `${prefix}harbour-01234567/2026/03/20260302T050000Z-89abcdef-a1/`,
      );
      const put = (folder: string) =>
        storage.putBytes(`${folder}backup.json`, Buffer.from('{}'), { signal: AbortSignal.timeout(120_000) });
      const to = (host: string) => ({
        settings: { swift: { authUrl: `http://${host}:${swift.port}/auth/v1.0`, credentials: v1() } },
      });
      holding.add(id);
      newest.set(id, folders);
      const [first = '', second = ''] = folders;
      for (const folder of [first, second]) {
        expect(await api.call(update, { id, input: to('localhost') })).toMatchObject({
          code: 'ENDPOINT_IN_USE',
          message: expect.stringContaining(`there is no "${folder}backup.json"`) as unknown,
          details: { object: `${folder}backup.json` },
        });
        await put(folder);
      }
      expect((await api.call(update, { id, input: to('localhost') })).code).toBeUndefined();
      // This is the same address with another key. A new password does not need the backups.
      newest.set(id, ['gone-01234567/2026/03/20260302T050000Z-89abcdef-a1/']);
      const rekeyed = { settings: { swift: { credentials: v1() } } };
      expect((await api.call(update, { id, input: rekeyed })).code).toBeUndefined();
      holding.delete(id);
      await storage.close();
    });

    test('a place without our marker is not the same place', async () => {
      const { id } = await created(input(container('unmarked')));
      const storage = await openStorage(await storedRow(id), { storages, vault: api.vault });
      const elsewhere = {
        settings: { swift: { authUrl: `http://localhost:${swift.port}/auth/v1.0`, credentials: v1() } },
      };
      holding.add(id);
      await storage.delete('.stowage.json', { signal: AbortSignal.timeout(120_000) });
      expect((await api.call(update, { id, input: elsewhere })).code).toBe('ENDPOINT_IN_USE');
      holding.delete(id);
      await storage.close();
    });

    test('a new key replaces the old key', async () => {
      const { id } = await created(input(container('rekeyed')));
      const wrong = { settings: { swift: { credentials: v1({ key: 'wrong' }) } } };
      expect((await api.call(update, { id, input: wrong })).code).toBe('CHECK_FAILED');
      const right = { settings: { swift: { credentials: v1() } } };
      expect((await api.call(update, { id, input: right })).code).toBeUndefined();
      expect((await storedRow(id)).credential?.credentialVersion).toBe(2);
    });

    test('the prefix of another installation is refused', async () => {
      const { id } = await created(input(container('theirs')));
      const storage = await openStorage(await storedRow(id), { storages, vault: api.vault });
      const marker = Buffer.from(JSON.stringify({ format: 1, installation: 'another' }));
      await storage.putBytes('other/.stowage.json', marker, { signal: AbortSignal.timeout(120_000) });
      await storage.close();
      const { code, details } = await api.call(create, { input: input(container('theirs'), { prefix: 'other' }) });
      expect(code).toBe('CHECK_FAILED');
      expect(failedStep(details.check)).toMatchObject({ name: 'CONTAINER', code: 'CONFLICT' });
      const { steps } = details.check as { steps: Step[] };
      expect(steps.filter(({ name }) => name === 'WRITE')).toMatchObject([{ status: 'SKIPPED' }]);
      expect((await api.call(update, { id, input: { prefix: 'other' } })).code).toBe('CHECK_FAILED');
    });

    test.each([
      ['another scheme', { authUrl: 'ftp://swift/auth' }, 'authUrl'],
      ['credentials in the URL', { authUrl: 'http://u:geheim@swift/auth' }, 'authUrl'],
      ['a query', { authUrl: 'http://swift/auth?x=1' }, 'authUrl'],
      ['a metadata address', { authUrl: 'http://169.254.169.254/v3' }, 'authUrl'],
      ['a metadata address in hexadecimal', { authUrl: 'http://0xa9fea9fe/v3' }, 'authUrl'],
      ['a container with a slash', { container: 'a/b' }, 'container'],
      ['a container of 257 bytes', { container: 'é'.repeat(129) }, 'container'],
      ['an option as container', { container: '--help' }, 'container'],
      ['a key of two lines', { credentials: v1({ key: 'a\nb' }) }, 'credentials.v1.key'],
      ['a user without a name', { credentials: v1({ user: '' }) }, 'credentials.v1.user'],
    ])('%s is BAD_INPUT with its path, but without its value', async (_what, change, path) => {
      const before = await api.countEvents();
      const answer = await api.call(create, { input: input(container('bad', change)) });
      expect(answer.code).toBe('BAD_INPUT');
      expect(answer.details.fields).toMatchObject([{ path: `input.settings.swift.${path}` }]);
      expect(JSON.stringify(answer)).not.toContain('geheim');
      expect(await api.countEvents()).toBe(before);
    });
  });
});
