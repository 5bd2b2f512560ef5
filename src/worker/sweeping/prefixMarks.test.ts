import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { chown, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beginAttempt, objectsIn, type WrittenAttempt } from '../../../test/fixtures/attempts.js';
import { postgresMissing, startTestServer } from '../../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import {
  createTestWorker,
  eventually,
  openTestStores,
  startWorkerHarness,
  type WorkerHarness,
} from '../../../test/fixtures/workerHarness.js';
import { adoptPrefixes } from '../../composition/adoptPrefixes.js';
import { Closing } from '../../composition/closing.js';
import type { Stores } from '../../composition/stores.js';
import { decideDeletion } from '../../backups/backupJobCommands.js';
import { BackupJobTable } from '../../backups/backupJobView.js';
import { openLog } from '../../log.js';
import { serverUser, startCluster } from '../../postgres/embedded/cluster.js';
import { debianBinaries } from '../../postgres/embedded/serverBinaries.js';
import { prepareRoles } from '../../postgres/roles.js';
import { Secret } from '../../secret.js';
import { filesystemDriver } from '../../storage/filesystem/filesystemDriver.js';
import type { Worker } from '../worker.js';
import type { WorkerTimes } from '../workerTools.js';

const run = promisify(execFile);

describeWith({ postgresql: await postgresMissing() }, 'A copy of the database deletes nothing of the original', () => {
  let production: WorkerHarness;
  let stopServer: () => Promise<void>;
  const endings: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    // This test has its own server, because it copies all files of the server.
    const shared = 'STOWAGE_TEST_POSTGRES_URL';
    const [server, before] = [await startTestServer(), process.env[shared]];
    stopServer = () => server.stop();
    process.env[shared] = server.adminUrl;
    production = await startWorkerHarness();
    if (before === undefined) Reflect.deleteProperty(process.env, shared);
    else process.env[shared] = before;
  });
  afterEach(async () => {
    for (const end of endings.splice(0).reverse()) await end();
  });
  afterAll(async () => {
    await production.stop();
    await stopServer();
  });

  /** Sweeps, renews marks each second, and takes no backup. */
  async function startProduction(): Promise<Worker> {
    const worker = await production.startWorker({ engines: new Map(), times: { mark: 1_000 } });
    endings.push(() => worker.stop());
    return worker;
  }

  /** Opens the file endpoints of the production installation. The database may be a copy. */
  async function storedBackups(path: string, count: number): Promise<readonly WrittenAttempt[]> {
    const prefix = `${path}/`;
    const fileEndpointId = await production.addFolder({ path, prefix });
    const storage = filesystemDriver.open({ root: production.ground.root, path });
    const attempts: WrittenAttempt[] = [];
    for (let n = 0; n < count; n += 1) {
      const attempt = await beginAttempt(production, fileEndpointId, prefix);
      await attempt.store(storage);
      await attempt.succeed();
      attempts.push(attempt);
    }
    return attempts;
  }
  /** The files without the next marker, because that file may be in the middle of a write. */
  const objects = async (path: string) => {
    const names = await objectsIn(filesystemDriver.open({ root: production.ground.root, path }));
    return names.filter((name) => !name.startsWith(`${path}/.stowage-partial-`));
  };
  const marker = (path: string) => readFile(join(production.ground.root, path, path, '.stowage.json'), 'utf8');

  async function confirmed(path: string): Promise<true | undefined> {
    const written = await marker(path).catch(() => '');
    const rows = await production.dataSource.query<{ mark: string }[]>(
      'SELECT mark FROM prefix_marks WHERE mark IS NOT NULL',
    );
    return rows.some(({ mark }) => written.includes(mark)) ? true : undefined;
  }

  async function decide(stores: Stores, { id }: WrittenAttempt): Promise<void> {
    const metadata = { actor: 'test', correlationId: id };
    const decision = { reason: 'BY_HAND', by: 'a person', at: new Date() } as const;
    await stores.store.transact(metadata, (tx) =>
      decideDeletion(tx, { id, projectId: production.projectId }, decision),
    );
    await stores.signals.send('work');
  }
  const gone = (stores: Stores, { id }: WrittenAttempt) =>
    eventually('the backup is DELETED', async () => {
      const { availability } = await stores.dataSource.manager.findOneByOrFail(BackupJobTable, { id });
      return availability === 'DELETED' ? true : undefined;
    });

  type Clone = {
    readonly stores: Stores;
    start(times?: Partial<WorkerTimes>): Promise<Worker>;
    /** A logged line that contains these words. */
    untilLogged(words: string): Promise<unknown>;
  };

  /** Shares everything with the production installation except the database, including the folder with the backups. */
  async function openClone(appUrl: string, ownerUrl: string): Promise<Clone> {
    const lines: string[] = [];
    const log = openLog('json', 'info', { write: (line: string) => void lines.push(line) });
    const closing = new Closing(log);
    const ground = { ...production.ground, appUrl, ownerUrl };
    const stores = await openTestStores(ground, log, closing);
    endings.push(() => closing.close());
    return {
      stores,
      async start(times = {}) {
        const options = { engines: new Map(), times: { mark: 1_000, ...times } };
        const worker = await createTestWorker(stores, ground, log, options);
        endings.push(() => worker.stop());
        await worker.start();
        return worker;
      },
      untilLogged: (words) => eventually(`"${words}" in the log`, () => lines.find((line) => line.includes(words))),
    };
  }

  /** The text in the form in which a line of JSON contains it. */
  const inUse = (path: string) => `The prefix \\"${path}/\\" is in use by another copy`;

  const at = (url: string, base: string) => {
    const [moved, there] = [new URL(url), new URL(base)];
    [moved.hostname, moved.port] = [there.hostname, there.port];
    return moved.href;
  };

  async function binary(name: string): Promise<string> {
    const found = await debianBinaries();
    if (found === undefined) throw new Error('There are no programs of PostgreSQL.');
    return join(found.bin, name);
  }

  test('after it was restored from a dump on another server, even if it runs alone, until it is adopted', async () => {
    const [first, second, third] = await storedBackups('dump', 3);
    if (first === undefined || second === undefined || third === undefined) throw new Error('No backups.');
    const worker = await startProduction();
    await eventually('a mark that is remembered as written', () => confirmed('dump'));
    await worker.stop();
    // The situation of a dump that was taken after a mark was stored in the database and before the mark was written to
    // the container.
    await production.dataSource.query('UPDATE prefix_marks SET next_mark = gen_random_uuid()');

    const elsewhere = await startTestServer();
    endings.push(() => elsewhere.stop());
    const password = new Secret('test');
    await prepareRoles({
      adminUrl: elsewhere.adminUrl,
      roles: ['stowage_owner', 'stowage_app'].map((name) => ({ name, password })),
    });
    const { postgres } = production;
    const [ownerUrl, appUrl] = [at(postgres.ownerUrl, elsewhere.adminUrl), at(postgres.appUrl, elsewhere.adminUrl)];
    const name = new URL(ownerUrl).pathname.slice(1);
    const admin = new URL(elsewhere.adminUrl);
    await run(await binary('psql'), [admin.href, '-c', `CREATE DATABASE ${name} OWNER stowage_owner`]);
    admin.pathname = `/${name}`;
    const dumped = new URL(postgres.adminUrl);
    dumped.pathname = `/${name}`;
    await run(
      'sh',
      ['-c', `set -e; "$1" "$2" > "$4/dump.sql"; "$3" -q -v ON_ERROR_STOP=1 -f "$4/dump.sql" "$5"`, 'sh'].concat([
        await binary('pg_dump'),
        dumped.href,
        await binary('psql'),
        production.ground.workRoot,
        admin.href,
      ]),
    );

    const clone = await openClone(appUrl, ownerUrl);
    const cloned = await clone.start({ watch: 0 });
    await decide(clone.stores, first);
    await clone.untilLogged("a copy of the installation's");
    await cloned.stop();
    expect(await objects('dump')).toHaveLength(6);

    const original = await startProduction();
    await decide(production, second);
    await gone(production, second);
    expect(await objects('dump')).toHaveLength(4);
    // The documentation requires this step: otherwise a mark that the original is writing could survive the adoption
    // until the next renewal.
    await original.stop();

    await adoptPrefixes(
      {
        ...{ role: 'adopt-prefixes', logLevel: 'info', dataFolder: '' },
        ...{ databaseUrl: new Secret(appUrl), migrationDatabaseUrl: new Secret(ownerUrl) },
      },
      openLog('json', 'error', { write: () => undefined }),
    );
    await clone.start({ watch: 0 });
    await gone(clone.stores, first);
    const before = production.logged.length;
    await startProduction();
    await decide(production, third);
    await eventually('production deletes nothing any more', () =>
      production.logged.slice(before).find((line) => line.includes(inUse('dump'))),
    );
    expect(await objects('dump')).toHaveLength(2);
  });

  test('after its files were copied: it first only checks and sees that the original is active; the original continues', async () => {
    const [first, second, third] = await storedBackups('files', 3);
    if (first === undefined || second === undefined || third === undefined) throw new Error('No backups.');
    const worker = await startProduction();
    await eventually('a mark that is remembered as written', () => confirmed('files'));
    await worker.stop();

    const dataFolder = await mkdtemp(join(tmpdir(), 'stowage-copy-'));
    endings.push(() => rm(dataFolder, { recursive: true, force: true }));
    await run(await binary('pg_basebackup'), ['-D', dataFolder, '-d', production.postgres.adminUrl, '-c', 'fast']);
    const user = await serverUser();
    const binaries = await debianBinaries();
    if (binaries === undefined) throw new Error('There are no programs of PostgreSQL.');
    if (user !== undefined) {
      await chown(dataFolder, user.uid, user.gid);
      await run('chown', ['-R', `${user.uid}:${user.gid}`, dataFolder]);
    }
    const settings = ['fsync=off', 'max_connections=300'];
    const cluster = await startCluster({ binaries, dataFolder, user, settings, onLog: () => undefined });
    endings.push(() => cluster.stop());
    const base = `postgresql://127.0.0.1:${cluster.port}/`;
    const clone = await openClone(at(production.postgres.appUrl, base), at(production.postgres.ownerUrl, base));

    const alone = await clone.start();
    await decide(clone.stores, first);
    await clone.untilLogged('is on a new server');
    await alone.stop();
    const copied = await marker('files');
    await startProduction();
    // The first mark may have been pending when the copy was made.
    const seen = new Set([copied]);
    await eventually('two new marks', async () => (seen.add(await marker('files')).size > 2 ? true : undefined));

    // Simulates that the hour is over.
    await clone.start({ watch: 0 });
    await clone.untilLogged(inUse('files'));
    expect(await objects('files')).toHaveLength(6);
    for (const attempt of [first, second]) {
      await decide(production, attempt);
      await gone(production, attempt);
    }
    expect(await objects('files')).toEqual([
      expect.stringContaining(third.folder),
      expect.stringContaining(third.folder),
    ]);
  });
});
