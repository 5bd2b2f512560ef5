import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { archiveBench, type ArchiveBench } from '../../test/fixtures/archive.js';
import { childrenNamed } from '../../test/fixtures/processes/childProcesses.js';
import { fingerprint } from '../../test/fixtures/mariadbFingerprint.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../test/fixtures/servers/mariadb.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import type { Inventory, InventoryTable } from '../engines/inventory.js';
import { createMariadbEngine } from '../engines/mariadb/mariadbEngine.js';
import { restoreLocks } from '../engines/mysqlFamily/restore/restoreSessions.js';
import type { Storage } from '../storage/storage.js';
import type { RestoreBackup, TakenBackup } from './archive.js';
import { deleteBackup } from './deleteBackup.js';
import { IncompleteRestore } from './incompleteRestore.js';
import { restoreBackup } from './restoreBackup.js';
import { takeBackup } from './takeBackup.js';

const engine = createMariadbEngine();
const ourTools = ['mariadb', 'perl', 'zstd', 'setpriv'];

describeWith({ mariadb: mariadbMissing }, 'A restore of a backup', () => {
  let source: MariadbServer;
  let target: MariadbServer;
  let bench: ArchiveBench;
  let backup: TakenBackup;

  beforeAll(async () => {
    [source, target, bench] = await Promise.all([startMariadb(), startMariadb(), archiveBench()]);
    await source.sql(await readFile('test/fixtures/nastyDatabase.sql', 'utf8'));
    await source.sql(await readFile('scripts/quickstart-sample.sql', 'utf8'));
    backup = await take('nasty `db', 'harbour', '--result-file=/tmp/xx', '-ü海 x');
  });

  afterEach(async () => {
    expect(childrenNamed(...ourTools)).toEqual([]);
    for (const name of await databases()) await target.sql(`DROP DATABASE \`${name.replaceAll('`', '``')}\``);
  });
  afterAll(async () => {
    await Promise.all([source.stop(), target.stop(), bench.remove()]);
  });

  async function take(...names: readonly string[]): Promise<TakenBackup> {
    return takeBackup(await bench.backup(engine, source.connection({ databases: names })));
  }

  async function databases(): Promise<readonly string[]> {
    const names = await target.sql(
      "SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')",
    );
    return names.split('\n').filter(Boolean);
  }

  type Reported = { readonly phases: string[]; readonly shares: number[] };

  async function restore(
    overrides: Partial<RestoreBackup> = {},
    reported: Reported = { phases: [], shares: [] },
  ): Promise<RestoreBackup> {
    const record = (what: string) => {
      reported.phases.push(what);
      return Promise.resolve();
    };
    return {
      restoreId: 'this restore',
      engine,
      target: target.connection(),
      storage: bench.storage,
      backup,
      workFolder: await bench.workFolder(),
      signal: new AbortController().signal,
      stallTimeoutMs: 20_000,
      onPhase: record,
      onProgress: ({ share }) => reported.shares.push(share ?? 0),
      onToolStarting: () => record('the tool starts'),
      ...overrides,
    };
  }

  test('creates databases that are identical to the source', async () => {
    const reported: Reported = { phases: [], shares: [] };
    const restored = await restoreBackup(await restore({}, reported));
    expect(restored.differences).toEqual([]);
    expect(reported.phases).toEqual(['PREFLIGHT', 'FETCHING', 'the tool starts', 'RESTORING', 'CHECKING']);
    expect(reported.shares.at(-1)).toBe(1);
    const names = backup.inventory.databases.map(({ name }) => name);
    expect(await fingerprint(target, names)).toEqual(await fingerprint(source, names));
    // A name that looks like an option was not read as an option, and a client command inside a value was not executed.
    expect(['/tmp/xx', '/tmp/never'].filter((path) => existsSync(path))).toEqual([]);
  });

  test('can be done by hand, with the command in backup.json and without our code', async () => {
    const line = backup.parts[0]!.restoreByHand;
    expect(line).toMatch(/\| zstd -d \| mariadb /);
    await promisify(execFile)('sh', ['-c', `${line} --user=root --socket=${join(target.folder, 's')}`]);
    const names = backup.inventory.databases.map(({ name }) => name);
    expect(await fingerprint(target, names)).toEqual(await fingerprint(source, names));
  });

  /** The backup with a changed entry of the table `t` in its inventory. */
  function expecting(change: (tables: readonly InventoryTable[]) => readonly InventoryTable[]): TakenBackup {
    const [first, ...others] = backup.inventory.databases;
    const databases = [{ ...first!, tables: change(first!.tables) }, ...others];
    return { ...backup, inventory: { ...backup.inventory, databases } };
  }

  test.each<[string, (tables: readonly InventoryTable[]) => readonly InventoryTable[], object]>([
    [
      'rows',
      (tables) => tables.map((table) => (table.name === 't' ? { ...table, rows: 7 } : table)),
      { path: '--result-file=/tmp/xx.tables.t.rows', expected: '7', actual: '1' },
    ],
    [
      'a table',
      (tables) => [...tables, { name: 'gone', rows: 0, rowsEstimated: false, sizeBytes: 0 }],
      { path: '--result-file=/tmp/xx.tables.gone', expected: 'table', actual: null },
    ],
  ])('fails if the target lacks %s of the backup', async (_what, change, difference) => {
    const failure: unknown = await restoreBackup(await restore({ backup: expecting(change) })).catch(
      (error: unknown) => error,
    );
    if (!(failure instanceof IncompleteRestore)) throw failure;
    expect(failure).toMatchObject({ code: 'TOOL_FAILED', retriable: false, differences: [difference] });
    expect(failure.message).toContain("the target holds less than the backup: the table '--result-file=/tmp/xx.");
  });

  test.each<[string, Partial<InventoryTable>, number]>([
    ['more rows than the backup, which others wrote', { rows: 0 }, 1],
    ['other rows than an estimate', { rows: 900, rowsEstimated: true }, 0],
  ])('succeeds if the target has %s', async (_what, changed, differences) => {
    const change = (tables: readonly InventoryTable[]) =>
      tables.map((table) => (table.name === 't' ? { ...table, ...changed } : table));
    const restored = await restoreBackup(await restore({ backup: expecting(change) }));
    expect(restored.differences).toHaveLength(differences);
  });

  test('refuses a target that has a database of that name, even an empty one', async () => {
    await target.sql('CREATE DATABASE harbour');
    const reported: Reported = { phases: [], shares: [] };
    await expect(restoreBackup(await restore({}, reported))).rejects.toMatchObject({
      code: 'TARGET_EXISTS',
      details: { existing: ['harbour'] },
    });
    expect(reported.phases).toEqual(['PREFLIGHT']);
  });

  test('refuses a database that was created on the target while the backup was fetched', async () => {
    const phases: string[] = [];
    const onPhase = async (phase: string) => {
      phases.push(phase);
      if (phase === 'FETCHING') await target.sql('CREATE DATABASE harbour; CREATE TABLE harbour.boats (mine INT);');
    };
    const onToolStarting = () => Promise.resolve(void phases.push('the tool starts'));
    await expect(restoreBackup(await restore({ onPhase, onToolStarting }))).rejects.toMatchObject({
      code: 'TARGET_EXISTS',
    });
    expect(phases).toEqual(['PREFLIGHT', 'FETCHING']);
  });

  test('sends no statement while another restore creates one of its databases, and does not disturb that restore', async () => {
    const [lock] = restoreLocks({ restoreId: 'another', inventory: only('HARBOUR') }).slice(-1);
    let other: Promise<string> | undefined;
    const onToolStarting = async () => {
      other = target.sql(`SELECT GET_LOCK('${lock}', 0); SELECT SLEEP(60)`).catch(() => 'killed');
      while ((await target.sql(`SELECT IS_USED_LOCK('${lock}') IS NULL`)).trim() === '1');
    };
    const input = await restore({ onToolStarting });
    await expect(restoreBackup(input)).rejects.toMatchObject({ code: 'TARGET_EXISTS' });
    expect(await databases()).toEqual([]);
    const context = { workFolder: input.workFolder, signal: new AbortController().signal };
    expect(await engine.endOurSessions(target.connection(), input.restoreId, context)).toBe(true);
    const holder = (await target.sql(`SELECT IS_USED_LOCK('${lock}')`)).trim();
    // The next restore is refused before it reads anything.
    await expect(restoreBackup(await restore())).rejects.toMatchObject({
      code: 'TARGET_EXISTS',
      message: expect.stringContaining("'harbour'"),
    });
    await target.sql(`KILL ${holder}`);
    expect(await other).toBe('killed');
  });

  test('runs beside a restore of other databases by the same user', async () => {
    const alone = await take('harbour');
    const [ours, theirs] = [alone.inventory, only('another')].map((inventory) =>
      restoreLocks({ restoreId: 'another', inventory }),
    );
    expect(ours!.filter((lock) => theirs!.includes(lock))).toEqual([
      restoreLocks({ restoreId: 'another', inventory: only() })[0],
    ]);
    const other = target.sql(`SELECT ${theirs!.map((lock) => `GET_LOCK('${lock}', 0)`).join()}; SELECT SLEEP(60)`);
    const ended = other.catch(() => 'killed');
    while ((await target.sql(`SELECT IS_USED_LOCK('${theirs![0]!}') IS NULL`)).trim() === '1');
    const restored = await restoreBackup(await restore({ backup: alone }));
    expect(restored.differences).toEqual([]);
    const context = { workFolder: await bench.workFolder(), signal: new AbortController().signal };
    expect(await engine.endOurSessions(target.connection(), 'another', context)).toBe(true);
    expect(await ended).toBe('killed');
  });

  test('finds a flipped bit before the first statement', async () => {
    const path = join(bench.root, backup.parts[0]!.objectName);
    const whole = await readFile(path);
    const flipped = Buffer.from(whole);
    flipped[Math.floor(flipped.length / 2)]! ^= 1;
    const reported: Reported = { phases: [], shares: [] };
    // Storages distinguish objects by etag. So the damaged object must have the original etag.
    const lying = withGet(bench.storage, async function* () {
      yield await Promise.resolve(flipped);
    });
    await expect(restoreBackup(await restore({ storage: lying }, reported))).rejects.toMatchObject({
      code: 'CHECKSUM',
    });
    expect(reported.phases).toEqual(['PREFLIGHT', 'FETCHING']);
    expect(await databases()).toEqual([]);
  });

  test('refuses an object that was replaced', async () => {
    const own = await take('harbour');
    const path = join(bench.root, own.parts[0]!.objectName);
    await writeFile(path, await readFile(path));
    const reported: Reported = { phases: [], shares: [] };
    await expect(restoreBackup(await restore({ backup: own }, reported))).rejects.toMatchObject({ code: 'CHECKSUM' });
    expect(reported.phases).toEqual(['PREFLIGHT', 'FETCHING']);
  });

  test.each([
    ['shorter', (whole: Buffer) => whole.subarray(0, whole.length - 1)],
    ['longer', (whole: Buffer) => Buffer.concat([whole, Buffer.from('x')])],
    ['empty', () => Buffer.alloc(0)],
  ])('refuses an object that is %s than the stored one', async (_how, change) => {
    const whole = await readFile(join(bench.root, backup.parts[0]!.objectName));
    const lying = withGet(bench.storage, async function* () {
      yield await Promise.resolve(change(whole));
    });
    await expect(restoreBackup(await restore({ storage: lying }))).rejects.toMatchObject({ code: 'CHECKSUM' });
    expect(await databases()).toEqual([]);
  });

  test('passes no byte of a segment that is damaged in the second reading', async () => {
    const whole = await readFile(join(bench.root, backup.parts[0]!.objectName));
    let readings = 0;
    const lying = withGet(bench.storage, async function* () {
      readings += 1;
      const flipped = Buffer.from(whole);
      if (readings === 2) flipped[flipped.length - 1]! ^= 1;
      yield await Promise.resolve(flipped);
    });
    await expect(restoreBackup(await restore({ storage: lying }))).rejects.toMatchObject({ code: 'CHECKSUM' });
    expect(readings).toBe(2);
    expect(await databases()).toEqual([]);
  });

  test('ends with the first error of the server', async () => {
    await source.sql(
      'CREATE DATABASE far; CREATE DATABASE near; CREATE TABLE far.t (a INT); CREATE VIEW near.v AS SELECT * FROM far.t;',
    );
    const alone = await take('near');
    expect(alone.warnings.join()).toContain('near.v');
    // An older backup does not record which other databases it reads.
    const databases = alone.inventory.databases.map(({ needs: _, ...database }) => database);
    const older = { ...alone, inventory: { ...alone.inventory, databases } };
    await expect(restoreBackup(await restore({ backup: older }))).rejects.toMatchObject({
      code: 'TOOL_FAILED',
      message: expect.stringContaining('ERROR 1146'),
    });
  });

  test('names the privileges that the user of the target lacks', async () => {
    await target.sql("CREATE USER poor@'%'; GRANT SELECT ON harbour.* TO poor@'%'");
    const poor = target.connection({ username: 'poor', password: null });
    const reported: Reported = { phases: [], shares: [] };
    await expect(restoreBackup(await restore({ target: poor }, reported))).rejects.toMatchObject({
      code: 'SERVICE_PRIVILEGE',
      message: expect.stringContaining('CREATE, DROP, ALTER, INSERT, INDEX, REFERENCES, CREATE VIEW'),
    });
    expect(reported.phases).toEqual(['PREFLIGHT']);
  });

  test('is refused if a row is larger than the target accepts', async () => {
    await target.sql('SET GLOBAL max_allowed_packet = 65536');
    await expect(restoreBackup(await restore())).rejects.toMatchObject({
      code: 'TARGET_UNFIT',
      help: expect.stringContaining('SET GLOBAL max_allowed_packet='),
    });
    await target.sql('SET GLOBAL max_allowed_packet = 67108864');
  });

  test('ends every process and throws the reason of the signal if it is aborted', async () => {
    const abort = new AbortController();
    const input = await restore({
      signal: abort.signal,
      onPhase: (phase) => {
        if (phase === 'RESTORING') setImmediate(() => abort.abort(new Error('cancelled by a person')));
        return Promise.resolve();
      },
    });
    await expect(restoreBackup(input)).rejects.toThrow('cancelled by a person');
    expect(childrenNamed(...ourTools)).toEqual([]);
    const context = { workFolder: input.workFolder, signal: new AbortController().signal };
    expect(await engine.endOurSessions(target.connection(), input.restoreId, context)).toBe(true);
  });

  test('is impossible after the deletion of the backup, which leaves nothing in the container', async () => {
    const { folder } = await take('harbour');
    const signal = new AbortController().signal;
    await deleteBackup({ storage: bench.storage, folder, signal });
    for await (const { name } of bench.storage.list(folder, { signal })) throw new Error(`${name} is left`);
    await deleteBackup({ storage: bench.storage, folder, signal });
  });

  test('becomes impossible at once, because the deletion begins with backup.json', async () => {
    const { folder } = await take('harbour');
    const signal = new AbortController().signal;
    const deleted: string[] = [];
    const watched: Storage = proxied(bench.storage, {
      delete: (name, options) => {
        deleted.push(name);
        return bench.storage.delete(name, options);
      },
    });
    await deleteBackup({ storage: watched, folder, signal });
    expect(deleted).toEqual([`${folder}backup.json`, `${folder}databases.sql.zst`]);
  });
});

/** An inventory that names only these databases. */
function only(...names: readonly string[]): Inventory {
  const databases = names.map((name) => ({ name, tables: [], objects: {}, properties: {} }));
  return { serverVersion: '', toolVersion: '', sizeBytes: 0, databases };
}

function withGet(storage: Storage, get: () => AsyncIterable<Uint8Array>): Storage {
  return proxied(storage, { get });
}

function proxied(storage: Storage, changed: Partial<Storage>): Storage {
  return new Proxy(storage, {
    get: (target, property) => {
      const value: unknown = Reflect.get(property in changed ? changed : target, property, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
