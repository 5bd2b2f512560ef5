import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startWholeApi, type HttpAnswer, type WholeApi } from '../../test/fixtures/api/wholeApi.js';
import { queuedJob } from '../../test/fixtures/backupJobs.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { postgresMissing } from '../../test/fixtures/servers/postgres.js';
import { startSwift, swiftMissing } from '../../test/fixtures/servers/swift.js';
import { shelfKind } from '../../test/fixtures/shelf/shelfKind.js';
import { startShelfServer } from '../../test/fixtures/shelf/shelfServer.js';
import { Secret } from '../secret.js';
import type { Storage } from '../storage/storage.js';
import type { EndpointSettings } from '../storage/storageKind.js';
import { fileEndpoint } from './fileEndpoint.js';
import { renewMark } from './prefixMarks.js';
import { projectMark } from './projectMark.js';

const create = `mutation ($input: FileEndpointInput!) { made: createFileEndpoint(input: $input) { id location } }`;
const update = `mutation ($id: ID!, $input: FileEndpointPatch!) { made: updateFileEndpoint(id: $id, input: $input) { id location } }`;
const check = `mutation ($id: ID!) { made: checkFileEndpoint(id: $id) { check { ok steps { name message } } } }`;
const remove = 'mutation ($id: ID!) { made: removeFileEndpoint(id: $id) { id } }';

describeWith({ postgresql: await postgresMissing() }, 'Two projects', () => {
  let api: WholeApi;
  let own: string;
  let other: string;

  beforeAll(async () => {
    api = await startWholeApi(undefined, { kinds: [shelfKind] });
    [own, other] = [await madeProject(), await madeProject()];
  });
  afterAll(() => api.stop());

  const idOf = ({ data, text }: HttpAnswer): string => {
    const { made } = data as { made: { id: string } | null };
    if (made === null) throw new Error(text);
    return made.id;
  };
  const madeProject = async () => {
    const name = `project ${randomUUID()}`;
    return idOf(await api.post('mutation ($name: String!) { made: createProject(name: $name) { id } }', { name }));
  };
  const attempt = (projectId: string, settings: object, prefix?: string) =>
    api.post(create, { input: { projectId, name: `endpoint ${randomUUID()}`, settings, prefix } });
  const created = async (...of: Parameters<typeof attempt>) => idOf(await attempt(...of));
  /** The code and the sentence of a refusal, by the check or when it is saved. */
  const refusalOf = ({ errors: [error] }: HttpAnswer): string => {
    const { code, details } = error?.extensions ?? {};
    type Steps = { readonly check?: { readonly steps: readonly { status: string; code: string; message: string }[] } };
    const step = (details as Steps | undefined)?.check?.steps.find(({ status }) => status === 'FAILED');
    return step === undefined ? `${code}: ${error?.message}` : `${step.code}: ${step.message}`;
  };
  const remarkOf = async (id: string) => {
    const { data, text } = await api.post(check, { id });
    type Made = { made: { check: { ok: boolean; steps: { name: string; message: string }[] } } };
    const { ok, steps } = (data as Made).made.check;
    if (!ok) throw new Error(text);
    return steps.find(({ name }) => name === 'CONTAINER')?.message ?? '';
  };
  /** An endpoint as an older version has saved it, which knew no owners of places. */
  const older = async (projectId: string, settings: EndpointSettings, prefix: string, key?: string) => {
    const id = randomUUID();
    await api.shared.store.transact({ actor: 'older version', correlationId: id }, async (tx) => {
      const at = new Date().toISOString();
      await tx.reservations.register(id, 'file endpoint', projectId);
      const credential =
        key === undefined ? null : await api.shared.vault.store(tx.manager, projectId, new Secret(key));
      const content = { name: `older ${id}`, settings, prefix, credential };
      const passed = { ok: true, checkedAt: at, steps: [] };
      await tx.execute(fileEndpoint, { id, projectId }, { kind: 'CREATE', content, check: passed, at });
    });
    return id;
  };
  const mark = (projectId: string) => projectMark({ ...api.shared, projectId });

  describe('with folders', () => {
    const folder = (path: string) => ({ filesystem: { path } });
    const homeOf = (projectId: string) => join(api.filesystemRoot, `project-${projectId}`);
    const markerAt = async (...path: readonly string[]) =>
      JSON.parse(await readFile(join(...path, '.stowage.json'), 'utf8')) as object;

    test('have folders of their own, whatever they name them', async () => {
      for (const projectId of [own, other]) {
        const { data } = await attempt(projectId, folder('backups'));
        expect(data).toMatchObject({ made: { location: join(homeOf(projectId), 'backups') } });
        expect(await markerAt(homeOf(projectId), 'backups')).toMatchObject({ projects: [mark(projectId)] });
      }
    });

    test.each([
      ['its whole path', (home: string) => `${home}/theirs`],
      ['its path below the root', (home: string) => `${home.slice(home.lastIndexOf('/') + 1)}/theirs`],
      ['a way over the parent', (home: string) => `../${home.slice(home.lastIndexOf('/') + 1)}/theirs`],
      ['the folder of the project', (home: string) => home],
      ['capital letters', (home: string) => `${home.slice(home.lastIndexOf('/') + 1).toUpperCase()}/theirs`],
    ])('cannot reach the folder of the other project by %s', async (_by, pathOf) => {
      const answer = await attempt(own, folder(pathOf(homeOf(other))));
      expect(refusalOf(answer)).toMatch('BAD_INPUT');
      expect(await readdir(homeOf(other)).catch(() => [])).not.toContain('theirs');
    });

    test.each([
      ['the same folder', 'same', 'same', ''],
      ['a folder inside', 'outer', 'outer/inner', ''],
      ['a folder around', 'around/inner', 'around', ''],
      ['other letter case', 'letters', 'LETTERS/x', ''],
      ['another form of a character', 'caf\u00e9', 'cafe\u0301', ''],
      ['a prefix that leads there', 'by/prefix', 'by', 'prefix'],
    ])('refuse %s within one project', async (_what, first, second, prefix) => {
      const projectId = await madeProject();
      const id = await created(projectId, folder(first));
      expect(refusalOf(await attempt(projectId, folder(second), prefix))).toMatch(
        /^CONFLICT: .* is in use by file endpoint "endpoint .*" of this project\.$/,
      );
      const elsewhere = await created(projectId, folder('elsewhere'));
      const moved = await api.post(update, { id: elsewhere, input: { settings: folder(second), prefix } });
      expect(refusalOf(moved)).toMatch(/^CONFLICT: .* is in use by file endpoint/);
      idOf(await api.post(remove, { id }));
      await created(projectId, folder(second), prefix);
    });

    test('allow two prefixes of one folder, and a change of the prefix', async () => {
      const projectId = await madeProject();
      const id = await created(projectId, folder('shared'), 'a');
      await created(projectId, folder('shared'), 'b');
      idOf(await api.post(update, { id, input: { prefix: 'c' } }));
      expect(refusalOf(await api.post(update, { id, input: { prefix: 'b/d' } }))).toMatch('CONFLICT');
    });

    test('save one of several endpoints that are created in one folder at the same time', async () => {
      const projectId = await madeProject();
      const paths = ['race', 'race', 'race/inner', 'Race', 'race/inner/most', 'race'];
      const answers = await Promise.all(paths.map((path) => attempt(projectId, folder(path))));
      expect(answers.filter(({ errors }) => errors.length === 0).length).toBe(1);
      const rows = await api.shared.dataSource.query<object[]>(
        'SELECT id FROM file_endpoints WHERE project_id = $1 AND removed_at IS NULL',
        [projectId],
      );
      expect(rows.length).toBe(1);
      for (const answer of answers.filter(({ errors }) => errors.length > 0)) {
        expect(refusalOf(answer)).toMatch('CONFLICT');
      }
    });

    test('keep the folders of older endpoints, and learn that they share one', async () => {
      const path = `older ${randomUUID()}`;
      const ids = [
        await older(own, { kind: 'FILESYSTEM', path }, ''),
        await older(other, { kind: 'FILESYSTEM', path: `${path}/inner` }, ''),
      ];
      for (const id of ids) {
        expect(await remarkOf(id)).toMatch('Another project uses this place too.');
        const kept = await api.post(update, { id, input: { name: `kept ${id}`, settings: folder(path) } });
        expect(kept.errors[0]?.message ?? '').not.toMatch('belongs');
      }
      const { data } = await api.post('query ($id: ID!) { made: fileEndpoint(id: $id) { id location } }', {
        id: ids[0],
      });
      expect(data).toMatchObject({ made: { location: join(api.filesystemRoot, path) } });
    });

    test('refuse a folder inside of one that an older endpoint of the other project has', async () => {
      const third = await madeProject();
      await older(other, { kind: 'FILESYSTEM', path: `project-${third}/x` }, '');
      expect(refusalOf(await attempt(third, folder('x/y')))).toBe('CONFLICT: The place belongs to another project.');
    });

    test('refuse a folder inside of one that carries a foreign marker', async () => {
      const third = await madeProject();
      const owners = [{ installation: randomUUID() }, { ...marked(), projects: [mark(other)] }];
      for (const [index, owner] of owners.entries()) {
        await mkdir(join(homeOf(third), `${index}/x`), { recursive: true });
        await writeFile(join(homeOf(third), `${index}/.stowage.json`), JSON.stringify({ format: 1, ...owner }));
        expect(refusalOf(await attempt(third, folder(`${index}/x`)))).toBe(
          'CONFLICT: The place belongs to another project.',
        );
      }
    });
  });

  const marked = () => ({ installation: api.shared.installationId });

  type Ground = {
    /** Settings that lead to the container by its usual address, and by another one. */
    readonly settings: (container: string) => object;
    readonly byAnotherName: (container: string) => object;
    /** A change that sends the key again, and checks the endpoint. */
    readonly sameKey: object;
    /** A change that writes the usual address in another way. */
    readonly sameAddress: object;
    readonly stored: (container: string) => EndpointSettings;
    readonly key: string;
    stop(): Promise<void>;
  };

  const startSwiftGround = async (): Promise<Ground> => {
    const server = await startSwift();
    const credentials = { v1: { user: 'test:tester', key: 'testing' } };
    const at = (host: string) => (container: string) => ({
      swift: { authUrl: `http://${host}:${server.port}/auth/v1.0`, container, createContainer: true, credentials },
    });
    return {
      settings: at('127.0.0.1'),
      byAnotherName: at('localhost'),
      sameKey: { swift: { credentials } },
      sameAddress: { swift: { authUrl: `HTTP://127.0.0.1:${server.port}/auth/v1.0`, credentials } },
      stored: (container) => ({
        ...{ kind: 'SWIFT', authUrl: `http://127.0.0.1:${server.port}/auth/v1.0`, container, region: null },
        user: { method: 'V1', user: 'test:tester' },
      }),
      key: 'testing',
      stop: () => server.stop(),
    };
  };
  const startShelfGround = async (): Promise<Ground> => {
    const server = await startShelfServer();
    const at = (url: string) => (shelf: string) => ({ shelf: { url, shelf, key: server.key } });
    return {
      settings: at(server.url),
      byAnotherName: at(server.url.replace('127.0.0.1', 'localhost')),
      sameKey: { shelf: { key: server.key } },
      sameAddress: { shelf: { url: server.url.replace('http:', 'HTTP:'), key: server.key } },
      stored: (shelf) => ({ kind: 'SHELF', url: server.url, shelf }),
      key: server.key,
      stop: () => server.stop(),
    };
  };

  describeWith({ swift: swiftMissing }, 'with containers of Swift', () => containers(startSwiftGround));
  describe('with an object server of the tests', () => containers(startShelfGround));

  function containers(start: () => Promise<Ground>): void {
    let ground: Ground;
    let container: string;
    const signal = AbortSignal.timeout(300_000);
    const belongs = (prefix: string) => `CONFLICT: The prefix "${prefix}" belongs to another project.`;

    beforeAll(async () => {
      ground = await start();
    });
    afterAll(() => ground.stop());
    const nextContainer = () => (container = `c${randomUUID().slice(0, 8)}`);

    const inContainer = async <T>(work: (storage: Storage) => Promise<T>): Promise<T> => {
      const settings = ground.stored(container);
      const storage = api.shared.storages.of(settings).target(settings, new Secret(ground.key)).open();
      return work(storage).finally(() => storage.close());
    };
    const readMarker = (prefix: string) =>
      inContainer(async (storage) => {
        const pieces: Uint8Array[] = [];
        for await (const piece of storage.get(`${prefix}.stowage.json`, { signal })) pieces.push(piece);
        return Buffer.concat(pieces).toString();
      });
    const writeMarker = (prefix: string, marker: object) =>
      inContainer((storage) =>
        storage.putBytes(`${prefix}.stowage.json`, Buffer.from(JSON.stringify({ format: 1, ...marked(), ...marker })), {
          signal,
          overwrite: true,
        }),
      );
    const renew = (fileEndpointId: string, projectId: string, prefix: string) =>
      inContainer((storage) => {
        const place = { fileEndpointId, projectId, prefix, since: new Date() };
        return renewMark({ ...api.shared, times: { watch: 0 } }, storage, place, signal);
      });
    const olderEndpoint = (projectId: string, prefix: string) =>
      older(projectId, ground.stored(container), prefix, ground.key);

    test('cannot use one prefix, also by another address; the refusal names nobody', async () => {
      nextContainer();
      await created(own, ground.settings(container), 'a');
      for (const settings of [ground.settings(container), ground.byAnotherName(container)]) {
        const answer = await attempt(other, settings, 'a');
        expect(refusalOf(answer)).toBe(belongs('a/'));
        expect(answer.text).not.toContain(own);
        expect(answer.text).not.toContain(mark(own));
      }
      const id = await created(other, ground.byAnotherName(container), 'b');
      expect(refusalOf(await api.post(update, { id, input: { prefix: 'a' } }))).toBe(belongs('a/'));
    });

    test('have a marker that names the installation as before, and no project by its id', async () => {
      nextContainer();
      await created(own, ground.settings(container), 'a');
      const text = await readMarker('a/');
      expect(JSON.parse(text)).toEqual({ format: 1, ...marked(), projects: [mark(own)] });
      expect(text).not.toContain(own);
    });

    test('may use prefixes inside of each other', async () => {
      nextContainer();
      await created(own, ground.settings(container));
      await created(other, ground.settings(container), 'a/b');
      await created(own, ground.settings(container), 'a');
    });

    test('of which one creates a second endpoint at its own place are not in the way', async () => {
      nextContainer();
      await created(own, ground.settings(container), 'a');
      const id = await created(own, ground.byAnotherName(container), 'a');
      expect(await remarkOf(id)).not.toMatch('uses');
    });

    test('that claim one place at the same time get one endpoint', async () => {
      nextContainer();
      await created(own, ground.settings(container), 'before');
      const claimants = [own, other, own, other];
      const answers = await Promise.all(
        claimants.map((projectId) => attempt(projectId, ground.settings(container), 'a')),
      );
      const winners = new Set(claimants.filter((_each, index) => answers[index]?.errors.length === 0));
      expect(winners.size).toBeLessThanOrEqual(1);
      const rows = await api.shared.dataSource.query<{ project: string }[]>(
        'SELECT DISTINCT project_id AS project FROM file_endpoints WHERE prefix = $1 AND settings @> $2',
        ['a/', ground.stored(container)],
      );
      expect(rows.map(({ project }) => project)).toEqual([...winners]);
    });

    test('respect an older marker that belongs to an endpoint of one of them', async () => {
      nextContainer();
      await created(own, ground.settings(container), 'before');
      const id = await olderEndpoint(own, 'a/');
      await writeMarker('a/', {});
      expect(refusalOf(await attempt(other, ground.settings(container), 'a'))).toBe(belongs('a/'));
      // With a mark, the owner is found also by another address.
      const place = { fileEndpointId: id, prefix: 'a/', since: new Date() };
      await writeMarker('a/', { mark: (await api.shared.prefixMarks.next(place)).mark });
      expect(refusalOf(await attempt(other, ground.byAnotherName(container), 'a'))).toBe(belongs('a/'));
      await created(own, ground.settings(container), 'a');
    });

    test('may use a place whose older endpoint was removed', async () => {
      nextContainer();
      await created(own, ground.settings(container), 'before');
      const id = await olderEndpoint(own, 'a/');
      const place = { fileEndpointId: id, prefix: 'a/', since: new Date() };
      await writeMarker('a/', { mark: (await api.shared.prefixMarks.next(place)).mark });
      idOf(await api.post(remove, { id }));
      await created(other, ground.settings(container), 'a');
    });

    test('that shared a place before keep it, and both learn it', async () => {
      nextContainer();
      await created(own, ground.settings(container), 'before');
      const ids = [await olderEndpoint(own, 'a/'), await olderEndpoint(other, 'a/')] as const;
      await writeMarker('a/', {});
      for (const id of ids) expect(await remarkOf(id)).toMatch('Another project uses this place too.');
      expect(await renew(ids[0], own, 'a/')).toBe(false);
      expect(await renew(ids[1], other, 'a/')).toBe(true);
      expect(await renew(ids[0], own, 'a/')).toBe(true);
      expect(JSON.parse(await readMarker('a/'))).toMatchObject({ ...marked(), projects: [mark(own), mark(other)] });
      for (const id of ids) {
        expect(await remarkOf(id)).toMatch('Another project uses this place too.');
        idOf(await api.post(update, { id, input: { name: `kept ${id}`, settings: ground.sameKey } }));
      }
      const third = await madeProject();
      expect(refusalOf(await attempt(third, ground.settings(container), 'a'))).toBe(belongs('a/'));
    });

    test.each(['x', '', '\u0000', '00000000-0000-0000-0000-00000000000g'])(
      'meet a marker whose mark somebody has written as %j',
      async (forged) => {
        nextContainer();
        await created(own, ground.settings(container), 'before');
        await writeMarker('a/', { mark: forged });
        const id = await created(own, ground.settings(container), 'a');
        await expect(renew(id, own, 'a/')).rejects.toMatchObject({ code: 'CONFLICT' });
        expect(await remarkOf(id)).not.toMatch('uses');
      },
    );

    test('that shared a place before may write its address in another way', async () => {
      nextContainer();
      await created(own, ground.settings(container), 'before');
      const ids = [await olderEndpoint(own, 'a/'), await olderEndpoint(other, 'a/')] as const;
      await writeMarker('a/', {});
      for (const id of ids) idOf(await api.post(update, { id, input: { settings: ground.sameAddress } }));
    });

    test('stay apart if an endpoint with a queued job changes its address to another server', async () => {
      nextContainer();
      const away = await start();
      try {
        await created(other, ground.settings(container), 'a');
        const fileEndpointId = await created(own, away.settings(container), 'a');
        const serviceId = randomUUID();
        await api.shared.store.transact({ actor: 'tester', correlationId: serviceId }, (tx) =>
          tx.reservations.register(serviceId, 'service', own),
        );
        await queuedJob(api.shared, own, { serviceId, fileEndpointId });
        const moved = await api.post(update, { id: fileEndpointId, input: { settings: ground.sameAddress } });
        expect(refusalOf(moved)).toMatch('ENDPOINT_IN_USE');
      } finally {
        await away.stop();
      }
    });

    test('whose endpoint was removed leave the place to their own project', async () => {
      nextContainer();
      idOf(await api.post(remove, { id: await created(own, ground.settings(container), 'a') }));
      expect(refusalOf(await attempt(other, ground.settings(container), 'a'))).toBe(belongs('a/'));
      await created(own, ground.settings(container), 'a');
    });
  }
});
