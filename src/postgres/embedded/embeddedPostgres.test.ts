import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client } from 'pg';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { startEmbeddedPostgres, type EmbeddedPostgres } from './embeddedPostgres.js';
import { debianBinaries, findServerBinaries } from './serverBinaries.js';

const asRoot = process.getuid?.() === 0;

// The first start takes seconds. All tests except the first use a server that has already been started once.
describe('embedded PostgreSQL', () => {
  let parent: string;
  let folder: string;
  let running: EmbeddedPostgres[] = [];
  beforeAll(async () => {
    parent = await mkdtemp(join(tmpdir(), 'stowage-embedded-'));
    await chmod(parent, 0o755);
    folder = join(parent, 'postgresql');
    // The files that an interrupted first start leaves behind.
    await mkdir(join(folder, 'data.incomplete', 'base'), { recursive: true });
    await stop(await start());
  });
  afterEach(async () => {
    for (const server of running) await stop(server);
  });
  afterAll(() => rm(parent, { recursive: true, force: true }));

  const start = async (options: Partial<Parameters<typeof startEmbeddedPostgres>[0]> = {}) => {
    const server = await startEmbeddedPostgres({ folder, onLog: () => undefined, ...options });
    running.push(server);
    return server;
  };
  const stop = async (server: EmbeddedPostgres) => {
    running = running.filter((each) => each !== server);
    await server.stop();
  };
  async function query(url: string, sql: string): Promise<unknown[]> {
    const client = new Client({ connectionString: url });
    await client.connect();
    return client
      .query<Record<string, unknown>>(sql)
      .then(({ rows }) => rows)
      .finally(() => client.end());
  }

  test('creates two roles at the first complete start, and starts again with its data on its port', async () => {
    const first = await start();
    await query(first.ownerUrl, 'CREATE TABLE kept AS SELECT 42 AS answer; GRANT SELECT ON kept TO stowage_app');
    await expect(query(first.appUrl, 'CREATE TABLE mine ()')).rejects.toThrow('permission denied');
    const passwords = join(folder, 'passwords.json');
    expect((await stat(passwords)).mode & 0o777).toBe(0o600);
    await stop(first);
    await expect(query(first.ownerUrl, 'SELECT')).rejects.toThrow('ECONNREFUSED');
    const second = await start();
    expect(second.appUrl).toBe(first.appUrl);
    await expect(query(second.appUrl, 'SELECT answer FROM kept')).resolves.toEqual([{ answer: 42 }]);
  });

  test('refuses a folder that another process uses, and does not disturb that process', async () => {
    const first = await start();
    await expect(start()).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('is in use by another running Stowage'),
    });
    await expect(query(first.appUrl, 'SELECT')).resolves.toHaveLength(1);
  });

  test('moves to another port when its own is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const server = await start({ port });
    expect(Number(new URL(server.appUrl).port)).not.toBe(port);
    taken.close();
  });

  test('ends with its process, also when the process is killed, and starts again with all committed data', async () => {
    const holder = spawn(
      process.execPath,
      ['--import', '@swc-node/register/esm-register', 'test/fixtures/processes/embeddedPostgresHolder.ts', folder],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const [ownerUrl] = (await once(createInterface({ input: holder.stdout }), 'line')) as [string];
    await query(ownerUrl, 'CREATE TABLE committed AS SELECT 42 AS answer');
    const witness = new Client({ connectionString: ownerUrl });
    witness.on('error', () => undefined);
    await witness.connect();
    const cut = new Promise((resolve) => witness.once('end', () => resolve(undefined)));
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    const again = await start();
    await cut;
    await expect(query(again.ownerUrl, 'SELECT answer FROM committed')).resolves.toEqual([{ answer: 42 }]);
  });

  test('starts although an old pid file names a running process', async () => {
    const pidFile = join(folder, 'data', 'postmaster.pid');
    await writeFile(pidFile, `${process.pid}\n${join(folder, 'data')}\n1\n5432\n\n127.0.0.1\n`);
    const server = await start();
    await expect(query(server.appUrl, 'SELECT')).resolves.toHaveLength(1);
    await expect(readFile(pidFile, 'utf8')).resolves.not.toMatch(new RegExp(`^${process.pid}\n`));
  });

  (asRoot ? describe : describe.skip)('as root', () => {
    test('reports the folder that its user may not enter', async () => {
      const closed = join(parent, 'closed');
      await mkdir(closed, { mode: 0o700 });
      await expect(start({ folder: join(closed, 'postgresql') })).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringContaining(`may not enter '${closed}'`),
      });
    });

    test('copies programs from below a closed folder', async () => {
      const { bin } = await findServerBinaries();
      const closed = join(parent, 'closed-programs');
      await mkdir(closed, { mode: 0o700 });
      await cp(dirname(bin), join(closed, 'native'), { recursive: true, verbatimSymlinks: true });
      const server = await start({ binaries: { bin: join(closed, 'native', 'bin') } });
      await expect(query(server.appUrl, 'SELECT')).resolves.toHaveLength(1);
    });
  });
});

describeWith({ postgresql: await postgresMissing() }, 'programs of PostgreSQL', () => {
  test('come from Debian if there is no package for the platform', async () => {
    await expect(findServerBinaries('plan9-mips')).resolves.toEqual(await debianBinaries());
  });
});
